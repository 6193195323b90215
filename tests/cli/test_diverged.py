"""A training that leaves the finite numbers is no trained model: one line, a status, and no checkpoint of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

Command = Callable[..., object]
pytestmark = pytest.mark.filterwarnings("ignore")
TRIES = (
    "try a lower --model.optimization.lr (now 1e+30), --model.optimization.warmup 0.05 or --trainer.gradient_clip_val 1"
)


def test_a_training_that_diverges_is_not_called_trained_and_keeps_its_log(
    vidcls: Command, tiny: Path, tmp_path: Path, rows_of: Callable[[Path], list[dict[str, str]]]
) -> None:
    outcome = vidcls("fit", "--config", tiny, "--model.optimization.lr", "1e30", "--run", "mine")
    line = outcome.refusal()
    assert "training diverged: the loss is not finite at step 1 of epoch 0 (both counted from 0)" in line
    assert line.endswith(TRIES)
    assert "trained" not in outcome.out
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"config.yaml", "metrics.csv"}
    assert rows_of(tmp_path / "mine/metrics.csv")[0]["step"] == "0"


def test_checkpoints_of_steps_before_stay(vidcls: Command, run: Path) -> None:
    checkpoints = {path: path.read_bytes() for path in (run / "checkpoints").iterdir()}
    content = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    for group in content["optimizer_states"][0]["param_groups"]:
        group["lr"] = 1e30
    content["lr_schedulers"][0]["base_lrs"] = [1e30]
    torch.save(content, "steep.ckpt")
    words = ("--run", run, "--ckpt_path", "last", "--trainer.max_epochs", "4")
    shutil.copy("steep.ckpt", run / "checkpoints/last.ckpt")
    line = vidcls("fit", *words).refusal()
    assert "training diverged: the loss is not finite at step 7 of epoch 2" in line
    best = run / "checkpoints/best.ckpt"
    assert best.read_bytes() == checkpoints[best]


@pytest.mark.parametrize("command", ["test", "validate"])
def test_scores_of_a_checkpoint_with_nan_are_an_error_that_names_it_and_the_first_video(
    vidcls: Command, run: Path, command: str
) -> None:
    best = run / "checkpoints/best.ckpt"
    content = torch.load(best, weights_only=True)
    name = next(name for name in content["state_dict"] if name.endswith("weight"))
    content["state_dict"][name].fill_(float("nan"))
    torch.save(content, best)
    before = {path.name for path in run.iterdir()}
    line = vidcls(command, "--run", run).refusal()
    video = {"test": "test/left/0.avi", "validate": "val/left/0.avi"}[command]
    assert f"{best}: the scores of {video} are not finite; the weight {name} is not" in line
    assert {path.name for path in run.iterdir()} == before


@pytest.mark.slow
def test_all_processes_of_a_training_that_diverges_end_with_its_line(tiny: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import sys\n\nfrom vidcls.cli import main\n\nif __name__ == '__main__':\n    sys.exit(main())\n"
    )
    words = ["fit", "--config", tiny, "--data.batch_size", 2, "--model.optimization.lr", "1e30", "--run", "mine"]
    words += ["--trainer.devices", 2, "--trainer.strategy", "ddp"]
    command = [str(word) for word in (sys.executable, program, *words)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2, done.stderr
    assert "training diverged: the loss is not finite at step 1 of epoch 0" in done.stderr
    assert "Traceback" not in done.stderr
    assert "trained" not in done.stdout
    assert not (tmp_path / "mine/checkpoints").exists()
