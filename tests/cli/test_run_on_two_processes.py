"""One command on two processes: one run folder, and a test whose files are those of a single process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., object]
TWO = ("--trainer.devices", "2", "--trainer.strategy", "ddp")
RESULTS = ("test.csv", "test_spatial.csv", "test_temporal.csv", "test.json", "test_confusion.csv")


def in_two_processes(folder: Path, *words: object) -> None:
    program = folder / "program.py"
    program.write_text(
        "import sys\n\nfrom vidcls.cli import main\n\nif __name__ == '__main__':\n    sys.exit(main())\n"
    )
    command = [sys.executable, program, *words, *TWO]
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_torchrun_takes_run_for_an_option_of_its_own_and_leaves_run_dir_alone() -> None:
    from torch.distributed.run import parse_args

    words = ["--nproc_per_node", "2", "-m", "vidcls", "fit", "--config", "two_stream"]
    assert parse_args([*words, "--run_dir", "out"]).training_script_args[-2:] == ["--run_dir", "out"]
    with pytest.raises(SystemExit):
        parse_args([*words, "--run", "out"])


def test_two_processes_write_the_test_files_of_one(vidcls: Command, tiny: Path, run: Path, tmp_path: Path) -> None:
    assert vidcls("test", "--config", tiny, "--ckpt_path", "best").status == 0
    by_one = {name: (run / name).read_bytes() for name in RESULTS}
    for name in RESULTS:
        (run / name).unlink()
    in_two_processes(
        tmp_path, "test", "--config", tiny, "--ckpt_path", "runs/tiny/" + run.name + "/checkpoints/best.ckpt"
    )
    assert {name: (run / name).read_bytes() for name in RESULTS} == by_one


@pytest.mark.slow
def test_a_training_on_two_processes_has_one_folder_and_is_tested_and_resumed_there(
    vidcls: Command, tiny: Path, tmp_path: Path, rows_of: Callable[[Path], list[dict[str, str]]]
) -> None:
    in_two_processes(tmp_path, "fit", "--config", tiny, "--data.batch_size", "2")
    (run,) = (tmp_path / "runs" / "tiny").iterdir()
    assert {path.name for path in run.iterdir()} == {
        "config.yaml",
        "metrics.csv",
        "curves.png",
        "checkpoints",
        "run.json",
        "validation.csv",
    }
    steps = [row["step"] for row in rows_of(run / "metrics.csv") if row["train/loss"]]
    assert steps == list("012345")
    in_two_processes(tmp_path, "fit", "--run", run, "--ckpt_path", "last", "--trainer.max_epochs", "3")
    assert list((tmp_path / "runs" / "tiny").iterdir()) == [run]
    assert [row["epoch"] for row in rows_of(run / "metrics.csv") if row["val/loss"]] == ["0", "1", "2"]
    assert vidcls("test", "--run", run, "--trainer.devices", "1", "--trainer.strategy", "auto").status == 0
