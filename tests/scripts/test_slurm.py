"""The batch scripts for SLURM: what they would run is a command that vidcls accepts, also after a requeue."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from vidcls.cli import main
from vidcls.cli.pool_options import check_engine_words
from vidcls.cli.trainer_commands import check
from vidcls.cli.words import Words

FOLDER = Path(__file__).parents[2] / "scripts" / "slurm"
SCRIPTS = sorted(FOLDER.glob("*_node*.sh"))
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


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="there is no shellcheck")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_shellcheck_finds_nothing(script: Path) -> None:
    assert subprocess.run(["shellcheck", script], capture_output=True, text=True).stdout == ""


CONFIG = """
seed_everything: 1
model: {{class_path: SingleFrame, init_args: {{backbone: small, dropout: 0.5}}}}
data:
  dataset: {{class_path: VideoFolder, init_args: {{root: {root}}}}}
  batch_size: 2
  num_workers: 0
  transform: {{resize_px: 32, crop_px: 24}}
trainer: {{max_epochs: 2, accelerator: cpu, enable_progress_bar: false}}
"""
WAITING = """
import time
from pathlib import Path
from lightning.pytorch import Callback

class Waiting(Callback):
    def on_train_batch_start(self, trainer, module, batch, number):
        if trainer.global_step == 8 and not Path("was_stopped").exists():
            Path("was_stopped").touch()
            time.sleep(1)  # a signal that comes meanwhile is taken after the batch
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_job_that_was_stopped_and_queued_again_ends_with_the_weights_of_one_that_was_not(
    script: Path, job: dict[str, str], tmp_path: Path, clip_folder: Path
) -> None:
    (tmp_path / "tiny.yaml").write_text(CONFIG.format(root=clip_folder))
    (tmp_path / "waiting.py").write_text(WAITING)
    training = "training=(--config tiny.yaml --save_every_n_steps 1 --trainer.callbacks+ waiting.Waiting)"
    text, num_arrays = re.subn(r"^training=\(.*?^\)", training, script.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert num_arrays == 1
    (tmp_path / "job.sh").write_text(text)
    program = f'#!/bin/bash\nshift\nexec "{sys.executable}" -m vidcls "$@"\n'  # of a step with one task
    (tmp_path / "bin" / "srun").write_text(program)
    environment = os.environ | job
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(["bash", "job.sh"], env=environment, stdout=said, stderr=said)
        try:
            while not (tmp_path / "was_stopped").exists():
                assert process.poll() is None, (tmp_path / "said").read_text()
                time.sleep(0.05)
            process.send_signal(signal.SIGUSR1)
            assert process.wait(120) == 0
        finally:
            process.kill()
    assert (tmp_path / "queued_again").read_text() == "requeue 123\n"
    run = tmp_path / "runs" / "slurm" / "123"
    steps = [torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]]
    assert subprocess.run(["bash", "job.sh"], env=environment, timeout=240).returncode == 0
    steps += [torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]]
    assert steps == [8, 12]
    assert main(["fit", "--config", "tiny.yaml", "--run", "whole"]) == 0
    whole = torch.load(tmp_path / "whole" / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    again = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert [name for name in whole if not torch.equal(whole[name], again[name])] == []


@pytest.mark.parametrize(
    ("getent", "said"),
    [("echo 10.0.0.1 STREAM first", "the head of Ray did not start on first"), ("", "first has no IPv4 address")],
)
def test_the_job_of_a_ray_cluster_ends_where_its_head_does_not_start(
    job: dict[str, str], tmp_path: Path, getent: str, said: str
) -> None:
    texts = {"srun": "exit 1", "ray": "exit 1", "scontrol": "echo first", "getent": getent}
    for name, text in texts.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    environment = job | {"SLURM_JOB_NUM_NODES": "1", "SLURM_JOB_NODELIST": "first"}
    done = subprocess.run(["bash", FOLDER / "ray_flow.sh"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert said in done.stderr


def test_the_job_of_a_ray_cluster_starts_its_head_its_other_nodes_and_the_command(
    job: dict[str, str], tmp_path: Path
) -> None:
    for name, text in (
        ("srun", '#!/bin/bash\nflock calls -c "echo $* >> calls; echo $RAY_AUTH_MODE >> modes"\n'),
        ("ray", "#!/bin/bash\n"),
        ("scontrol", "#!/bin/bash\nprintf 'localhost\\nother\\n'\n"),
    ):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    environment = job | {"SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_NODELIST": "localhost,other"}
    subprocess.run(["bash", FOLDER / "ray_flow.sh"], env=environment, check=True, timeout=60)
    calls = [line.split() for line in (tmp_path / "calls").read_text().splitlines()]
    assert len(calls) == 3
    assert (tmp_path / "modes").read_text().split() == ["token"] * 3
    command = next(call for call in calls if "vidcls" in call)
    assert command[command.index("vidcls") + 1] == "flow"
    engine = check_engine_words(Words(command[command.index("--engine") :]))
    starts = [call[call.index("start") :] for call in calls if "start" in call]
    assert {word for start in starts for word in start if word.startswith("--address")} == {
        f"--address={engine.address}"
    }
    assert f"--port={engine.address.rpartition(':')[2]}" in next(start for start in starts if "--head" in start)
    assert next(call for call in calls if "--head" in call)[2] == "--nodelist=localhost"
