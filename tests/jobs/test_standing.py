"""Processes that stay: one that dies, hangs or fails costs its own job alone."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import CancelledError

import pytest
from pebble import ProcessExpired

from vidcls.jobs.standing import StandingProcesses


@pytest.fixture(scope="module")
def processes():
    found = StandingProcesses(1, "vidcls.jobs.standing")
    yield found
    found.close()


def test_a_job_is_done_in_another_process(processes: StandingProcesses) -> None:
    assert processes.submit(os.getpid, 60.0).result(60) != os.getpid()
    assert processes.submit(pow, 60.0, 2, 5, mod=7).result(60) == 4


def test_what_dies_hangs_or_fails_costs_its_own_job(processes: StandingProcesses) -> None:
    with pytest.raises(ProcessExpired):
        processes.submit(os._exit, 60.0, 3).result(60)
    with pytest.raises(TimeoutError):
        processes.submit(time.sleep, 0.3, 600.0).result(60)
    with pytest.raises(ZeroDivisionError):
        processes.submit(divmod, 60.0, 1, 0).result(60)
    with pytest.raises(ProcessExpired):
        processes.submit(signal.raise_signal, 60.0, signal.SIGKILL).result(60)
    assert processes.submit(abs, 60.0, -1).result(60) == 1


def test_a_job_that_runs_can_be_given_up(processes: StandingProcesses) -> None:
    running = processes.submit(time.sleep, 600.0, 600.0)
    time.sleep(0.2)
    running.cancel()
    assert processes.submit(abs, 60.0, -2).result(60) == 2


def test_closing_ends_what_runs_and_takes_no_more() -> None:
    with pytest.raises(ValueError, match="num_workers"):
        StandingProcesses(0, "vidcls.jobs.standing")
    processes = StandingProcesses(1, "vidcls.jobs.standing")
    running = processes.submit(time.sleep, 600.0, 600.0)
    processes.close()
    with pytest.raises((CancelledError, ProcessExpired, RuntimeError)):
        running.result(10)
    with pytest.raises(RuntimeError, match="closed"):
        processes.submit(abs, 1.0, 1)
