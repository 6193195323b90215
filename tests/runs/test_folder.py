"""What the files of a run are called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vidcls.errors import ConfigurationError
from vidcls.runs.folder import (
    check_name,
    name_and_start,
    new_run,
    scores_name,
)


def test_a_test_writes_a_file_for_the_model_and_one_for_each_stream() -> None:
    assert (scores_name(), scores_name("spatial")) == ("test.csv", "test_spatial.csv")


def test_two_runs_of_one_second_have_different_folders(tmp_path: Path) -> None:
    folders = {new_run(tmp_path, "a") for _ in range(3)}
    assert len(folders) == 3
    assert all(folder.is_dir() and folder.parent == tmp_path / "a" for folder in folders)


def test_a_run_is_called_as_its_folder_or_by_the_one_above_where_that_is_a_time(tmp_path: Path) -> None:
    for folder in (new_run(tmp_path, "conv3d"), new_run(tmp_path, "conv3d"), new_run(tmp_path, "conv3d")):
        assert name_and_start(folder) == ("conv3d", folder.name)
    assert name_and_start(tmp_path / "runs" / "several") == ("several", "")


def test_a_name_that_leads_out_of_the_folder_of_runs_is_refused() -> None:
    check_name("two_stream-1.5 b+c")
    for name in ("..", "a/b", "", "a*"):
        with pytest.raises(ConfigurationError, match="names a folder"):
            check_name(name)


def test_looking_into_a_run_loads_no_training_framework() -> None:
    code = "import sys, vidcls.runs.results_folder, vidcls.runs.run, vidcls.runs.confusion_figure\n"
    code += "print(sorted({'lightning', 'torch', 'torchmetrics', 'wandb', 'matplotlib'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
