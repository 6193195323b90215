"""Where the results of a test lie: in the run for its own data, below it for any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from vidcls.runs.dataset_identity import is_same_dataset
from vidcls.runs.results_folder import results_folder
from vidcls.runs.summary import write_summary


def dataset(**places: object) -> dict[str, object]:
    return {"class_path": "vidcls.datasets.VideoFolder", "init_args": {name: str(p) for name, p in places.items()}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    settings = {"data": {"dataset": dataset(root=tmp_path / "own")}}
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path / "run"


def test_results_on_the_data_of_the_training_lie_in_the_run(run: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "own")
    assert results_folder(run, dataset(root=tmp_path / "own")) == run
    assert results_folder(run, dataset(root=tmp_path / "link")) == run


def test_results_on_other_data_lie_in_a_folder_of_its_name_and_the_same_data_gets_the_same_one(
    run: Path, tmp_path: Path
) -> None:
    first, second = dataset(root=tmp_path / "x" / "clips"), dataset(root=tmp_path / "y" / "clips")
    assert results_folder(run, first) == run / "tests" / "clips"
    write_summary(run / "tests" / "clips", {"dataset": first})
    assert results_folder(run, second) == run / "tests" / "clips_2"
    assert results_folder(run, first) == run / "tests" / "clips"


def test_a_folder_that_is_no_run_has_its_results_in_it(tmp_path: Path) -> None:
    assert results_folder(tmp_path, dataset(root="clips")) == tmp_path


def test_a_summary_that_is_damaged_is_that_of_no_data_set(run: Path, tmp_path: Path) -> None:
    other = dataset(root=tmp_path / "clips")
    (run / "tests" / "clips").mkdir(parents=True)
    (run / "tests" / "clips" / "test.json").write_text("[")
    assert results_folder(run, other) == run / "tests" / "clips_2"


def test_data_sets_of_another_class_or_place_differ() -> None:
    csv = {"class_path": "vidcls.datasets.VideoCsv", "init_args": {"root": "a"}}
    assert is_same_dataset(dataset(root="a"), {"class_path": "VideoFolder", "init_args": {"root": "a", "seed": 3}})
    assert not is_same_dataset(dataset(root="a"), dataset(root="b"))
    assert not is_same_dataset(dataset(root="a"), csv)
    assert not is_same_dataset(None, None)
