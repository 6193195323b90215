from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from pebble import ProcessExpired

from vidcls.jobs import LocalProcesses, Outcome, fault_of, local_pool, reason_of, worker_number
from vidcls.types import VideoRecord
from vidcls.video import LocalFile

JOBS = """
import os
from vidcls.jobs import worker_number
import signal
import time


def length_of_name(record):
    if record.label == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    if record.label == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    if record.label == "hangs":
        time.sleep(3600)
    if record.label == "raises":
        raise RuntimeError("no frames in " + record.name)
    return len(record.name)


def number_of_worker(record):
    time.sleep(0.5)
    return worker_number()


def key_of(record):
    return os.environ.get("KEY_OF_A_TEST")
"""


@pytest.fixture
def outcomes_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Outcome[int]]]]:
    """Runs the job over videos whose names are x, xx, ... and whose labels say what becomes of them."""
    (tmp_path / "jobs_of_a_test.py").write_text(JOBS)  # worker processes import it by name
    monkeypatch.syspath_prepend(tmp_path)
    jobs = importlib.import_module("jobs_of_a_test")

    def run(labels: Sequence[str], **options: float) -> dict[str, Outcome[int]]:
        records = [
            VideoRecord(source=LocalFile(Path(str(i))), label=label, split="train", name="x" * i)
            for i, label in enumerate(labels)
        ]
        return {o.record.name: o for o in LocalProcesses(2).each(jobs.length_of_name, records, **options)}

    yield run
    del sys.modules["jobs_of_a_test"]


def test_a_dying_and_a_failing_job_are_named_and_all_others_done(
    outcomes_of: Callable[..., dict[str, Outcome[int]]],
) -> None:
    outcomes = outcomes_of(["", "", "kills", "", "raises", "", ""])
    assert {name: o.result for name, o in outcomes.items() if o.error is None} == {"x" * i: i for i in (0, 1, 3, 5, 6)}
    assert isinstance(outcomes["xx"].error, ProcessExpired)
    assert str(outcomes["xxxx"].error) == "no frames in xxxx"


def test_workers_are_numbered_from_0_in_their_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jobs_with_numbers.py").write_text(JOBS)
    monkeypatch.syspath_prepend(tmp_path)
    job = importlib.import_module("jobs_with_numbers").number_of_worker
    records = [VideoRecord(LocalFile(Path(str(i))), "", "train", str(i)) for i in range(6)]
    assert {outcome.result for outcome in LocalProcesses(2).each(job, records)} == {0, 1}
    assert worker_number() == 0
    del sys.modules["jobs_with_numbers"]


def test_without_processes_this_one_works_and_a_failure_is_an_outcome_too() -> None:
    def job(record: VideoRecord) -> int:
        if record.name == "b":
            raise ValueError("no frames")
        return os.getpid()

    records = [VideoRecord(LocalFile(Path(name)), "", "train", name) for name in "abc"]
    outcomes = list(local_pool(0).each(job, records))
    assert [outcome.result for outcome in outcomes] == [os.getpid(), None, os.getpid()]
    assert reason_of(outcomes[1]) == "b: no frames"
    with pytest.raises(ValueError, match="at least 1"):
        LocalProcesses(-1)


def test_a_crash_has_its_signal_and_a_job_past_its_time_is_ended_and_all_others_done(
    outcomes_of: Callable[..., dict[str, Outcome[int]]],
) -> None:
    outcomes = outcomes_of(["", "hangs", "", "crashes", "", "hangs", ""], seconds_each=1.0)
    assert {name: o.result for name, o in outcomes.items() if o.error is None} == {"x" * i: i for i in (0, 2, 4, 6)}
    assert isinstance(outcomes["x"].error, TimeoutError)
    assert isinstance(outcomes["xxxxx"].error, TimeoutError)
    assert getattr(outcomes["xxx"].error, "exitcode", None) == -signal.SIGSEGV
    assert fault_of(outcomes["x"]).kind == "hang"
    assert reason_of(outcomes["x"]) == "1: it was not read within 1 seconds, and its process was ended"
    assert fault_of(outcomes["xxx"]).kind == "crash"
    assert reason_of(outcomes["xxx"]) == "3: the process that read it ended by signal SIGSEGV"


WORKING = """
import signal
import sys
from pathlib import Path

from jobs_of_a_test import length_of_name
from vidcls.jobs import LocalProcesses
from vidcls.types import VideoRecord
from vidcls.video import LocalFile

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job is started without
    labels = ("quick", "hangs", "hangs")
    records = [VideoRecord(source=LocalFile(Path()), label=label, split="train", name=label) for label in labels]
    for outcome in LocalProcesses(2).each(length_of_name, records):
        print(outcome.result, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_processes_end_with_this_one_however_it_ends(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "jobs_of_a_test.py").write_text(JOBS)
    (tmp_path / "working.py").write_text(WORKING)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "working.py")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"5\n"  # now both processes hang
        process.send_signal(number)
        process.communicate(timeout=60)  # until no process is left that could write
    finally:
        with contextlib.suppress(ProcessLookupError):  # where the test fails, none is left behind
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode in (-number, 1)


def test_workers_have_the_environment_of_now(
    outcomes_of: Callable[..., dict[str, Outcome[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes_of([""])  # the server that starts them has begun
    monkeypatch.setenv("KEY_OF_A_TEST", "new")
    record = VideoRecord(source=LocalFile(Path("0")), label="", split="train", name="x")
    jobs = importlib.import_module("jobs_of_a_test")
    assert [outcome.result for outcome in LocalProcesses(1).each(jobs.key_of, [record])] == ["new"]
