"""What a signal does to a command: the program tidies up, the status says which signal it was, no traceback is seen."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
    pytest.mark.usefixtures("hang_up_ends"),
]
PROGRAM = """
import os, signal, sys, time
from vidcls import cli

def work(arguments):
    try:
        print("ready", flush=True)
        time.sleep(100)
    finally:
        print("tidied up", flush=True)

cli.COMMANDS["doctor"] = work
sys.argv = ["vidcls", "doctor"]
cli.entry()
"""


def ended(*signals: int, before: str = "") -> tuple[int, str]:
    """Status and output of a command that is sent these signals while it works."""
    job = subprocess.Popen(
        [sys.executable, "-c", before + PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert job.stdout is not None
    assert job.stdout.readline() == "ready\n"
    for number in signals:
        job.send_signal(number)
    output, _ = job.communicate()
    return job.returncode, output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_told_to_end_tidies_up_and_its_status_says_so(number: int) -> None:
    assert ended(number, number) == (128 + number, "tidied up\n")


def test_ctrl_c_twice_shows_no_traceback() -> None:
    before = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    status, output = ended(signal.SIGINT, signal.SIGINT, before=before)
    assert status == 130
    assert output.replace("stopping; Ctrl+C once more ends at once\n", "") == "tidied up\n"


def test_a_signal_that_is_ignored_as_behind_nohup_stays_so() -> None:
    before = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    assert ended(signal.SIGHUP, signal.SIGTERM, before=before) == (143, "tidied up\n")


def test_a_forked_process_takes_signals_as_ever() -> None:
    program = """
import os, signal
from vidcls.stop_signals import raise_on_signals
raise_on_signals()
child = os.fork()
if child == 0:
    os.kill(os.getpid(), signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == f"{-signal.SIGTERM}\n"
