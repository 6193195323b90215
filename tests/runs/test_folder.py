"""What the files of a run are called, and how a run is found again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.runs.folder import (
    BEST,
    LAST,
    check_name,
    checkpoint_in,
    find_checkpoint,
    new_run,
    newest_run,
    run_of,
    scores_name,
)


def trained_run(root: Path, name: str, time: str, *checkpoints: str) -> Path:
    run = root / name / time
    (run / "checkpoints").mkdir(parents=True)
    for checkpoint in checkpoints:
        (run / "checkpoints" / f"{checkpoint}.ckpt").write_text("")
    (run / "config.yaml").write_text("")
    return run


def test_a_test_writes_a_file_for_the_model_and_one_for_each_stream() -> None:
    assert (scores_name(), scores_name("spatial")) == ("test.csv", "test_spatial.csv")


def test_two_runs_of_one_second_have_different_folders(tmp_path: Path) -> None:
    folders = {new_run(tmp_path, "a") for _ in range(3)}
    assert len(folders) == 3
    assert all(folder.is_dir() and folder.parent == tmp_path / "a" for folder in folders)


def test_a_name_that_leads_out_of_the_folder_of_runs_is_refused() -> None:
    check_name("two_stream-1.5 b+c")
    for name in ("..", "a/b", "", "a*"):
        with pytest.raises(ConfigurationError, match="names a folder"):
            check_name(name)


def test_the_newest_training_of_a_name_is_found_and_an_older_one_never_in_its_place(tmp_path: Path) -> None:
    older = trained_run(tmp_path, "a", "2026-11-20_10-00-00", BEST, LAST)
    newer = trained_run(tmp_path, "b", "2026-11-20_10-00-01", LAST)
    assert newest_run(tmp_path, None, having=LAST) == newer
    assert newest_run(tmp_path, "a", having=LAST) == older
    with pytest.raises(CheckpointError, match=r"the newest run here has no checkpoint best\.ckpt"):
        newest_run(tmp_path, None, having=BEST)
    with pytest.raises(CheckpointError, match="train first"):
        newest_run(tmp_path, "c", having=LAST)


def test_a_checkpoint_is_found_by_word_and_by_path_and_knows_its_run(tmp_path: Path) -> None:
    run = trained_run(tmp_path, "a", "2026-11-20_10-00-00", BEST)
    best = checkpoint_in(run, BEST)
    assert find_checkpoint("best", root=tmp_path, name="a", run=None) == best
    assert find_checkpoint(str(best), root=Path("elsewhere"), name=None, run=None) == best
    assert run_of(best) == run
    assert run_of(tmp_path / "best.ckpt") is None
    with pytest.raises(CheckpointError, match=r"is .* the folder of a run"):
        find_checkpoint("last", root=tmp_path, name="a", run=run)
    with pytest.raises(CheckpointError, match="no such file; pass a file, best or last"):
        find_checkpoint("worst", root=tmp_path, name="a", run=run)


def test_looking_into_a_run_loads_no_training_framework() -> None:
    code = "import sys, vidcls.runs.results_folder, vidcls.runs.run, vidcls.runs.confusion_figure\n"
    code += "print(sorted({'lightning', 'torch', 'torchmetrics', 'wandb', 'matplotlib'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
