"""The batch scripts for SLURM: what they would run is a command that vidcls accepts, also after a requeue."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from vidcls.cli.trainer_commands import check
from vidcls.cli.words import Words

SCRIPTS = sorted((Path(__file__).parents[2] / "scripts" / "slurm").glob("*.sh"))
SRUN = """#!/bin/bash
printf '%s\\n' "$@" > words
if [ -n "${WAITS:-}" ]; then
    trap 'touch was_stopped; exit 0' TERM
    touch started
    while true; do sleep 0.05; done
fi
"""
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a job, in a folder with videos, with an srun that notes what it should run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_videos").mkdir()
    for name, text in (("srun", SRUN), ("scontrol", '#!/bin/bash\necho "$@" > queued_again\n')):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    return {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "SLURM_JOB_ID": "123",
        "SLURM_CPUS_PER_TASK": "8",
        "SLURM_NTASKS_PER_NODE": "4",
    }


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_its_command_is_one_that_vidcls_accepts(script: Path, job: dict[str, str], tmp_path: Path) -> None:
    assert subprocess.run(["bash", "-n", script], capture_output=True).returncode == 0
    for name in ("first", "again"):
        if name == "again":
            last = tmp_path / "runs" / "slurm" / "123" / "checkpoints" / "last.ckpt"
            last.parent.mkdir(parents=True)
            last.write_bytes(b"PK\x05\x06" + bytes(18))  # an empty archive
        subprocess.run(["bash", script], env=job, check=True, timeout=60)
        program, command, *words = (tmp_path / "words").read_text().splitlines()
        assert (program, command) == ("vidcls", "fit")
        places = check("fit", Words(words))
        assert places.run == Path("runs/slurm/123")
        assert (places.checkpoint is not None) == (name == "again")
        assert Words(words).last("--trainer.devices") == "4"


def test_before_its_time_is_up_it_stops_the_training_and_queues_itself_again(
    job: dict[str, str], tmp_path: Path
) -> None:
    process = subprocess.Popen(["bash", SCRIPTS[0]], env=job | {"WAITS": "1"})
    try:
        while not (tmp_path / "started").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGUSR1)
        assert process.wait(60) == 0
    finally:
        process.kill()
    assert (tmp_path / "was_stopped").exists()
    assert (tmp_path / "queued_again").read_text() == "requeue 123\n"
