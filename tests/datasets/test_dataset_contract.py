"""What holds for every data set; a new one fails here until it has a miniature in conftest.py."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from jsonargparse import ArgumentParser, Namespace

import vidcls.datasets
from vidcls.datasets import VideoDataset
from vidcls.types import SPLITS

Make = Callable[[str, Path], VideoDataset]
CONFIGS = Path(__file__).parents[2] / "configs" / "data"
CONCRETE = sorted(
    name
    for name, item in vars(vidcls.datasets).items()
    if isinstance(item, type) and issubclass(item, VideoDataset) and item is not VideoDataset
)


@pytest.fixture(params=CONCRETE)
def dataset(request: pytest.FixtureRequest, make: Make, tmp_path: Path) -> VideoDataset:
    return make(request.param, tmp_path)


def test_class_names_are_the_sorted_labels(dataset: VideoDataset) -> None:
    assert dataset.class_names == sorted({record.label for record in dataset.records})
    assert len(dataset.class_names) >= 2


def test_names_are_unique_and_stay_inside_the_root(dataset: VideoDataset) -> None:
    names = [record.name for record in dataset.records]
    assert len(set(names)) == len(names)
    assert all(dataset.root / record.video_name == record.path for record in dataset.records)
    assert not any(".." in name.split("/") or name.startswith("/") or "\\" in name for name in names)


def test_every_file_exists(dataset: VideoDataset) -> None:
    assert all(record.path.is_file() for record in dataset.records)


def test_all_three_splits_have_videos_and_together_are_everything(dataset: VideoDataset) -> None:
    parts = [dataset.split(split) for split in SPLITS]
    assert all(parts)
    assert sorted(r.name for part in parts for r in part) == sorted(r.name for r in dataset.records)


def test_no_group_is_in_two_splits(dataset: VideoDataset) -> None:
    splits_of: dict[str, set[str]] = {}
    for record in dataset.records:
        if record.group is not None:
            splits_of.setdefault(record.group, set()).add(record.split)
    assert all(len(splits) == 1 for splits in splits_of.values())


def test_an_unknown_split_is_refused(dataset: VideoDataset) -> None:
    with pytest.raises(ValueError, match="expected one of train, val, test"):
        dataset.split("validation")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CONCRETE)
def test_reading_twice_gives_the_same_records_in_the_same_order(name: str, make: Make, tmp_path: Path) -> None:
    assert make(name, tmp_path).records == make(name, tmp_path).records


@pytest.mark.parametrize("name", CONCRETE)
def test_a_data_set_goes_to_worker_processes(name: str, make: Make, tmp_path: Path) -> None:
    dataset = make(name, tmp_path)
    assert pickle.loads(pickle.dumps(dataset)).records == dataset.records


class Data:
    def __init__(self, dataset: VideoDataset) -> None:
        self.dataset = dataset


def parse(*arguments: str) -> Namespace:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Data, "data")
    return parser.parse_args(arguments)


@pytest.mark.parametrize("name", CONCRETE)
def test_the_command_line_takes_the_short_name(name: str) -> None:
    needed = {"HMDB51", "Kinetics", "SomethingSomething", "UCF101"}
    options = ["--data.dataset.annotations", "a"] if name in needed else []
    where = "path" if name in ("CVAT", "LabelStudio", "VideoCsv") else "root"
    config = parse("--data.dataset", name, f"--data.dataset.{where}", "x", *options)
    assert config.data.dataset.class_path == f"vidcls.datasets.{name}"
    assert str(config.data.dataset.init_args[where]) == "x"


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_each_shipped_data_file_parses_and_can_be_pointed_elsewhere(file: Path) -> None:
    where = "path" if file.stem in ("cvat", "label_studio", "video_csv") else "root"
    config = parse("--data", str(file), f"--data.dataset.{where}", "elsewhere")
    assert config.data.dataset.class_path.rpartition(".")[2] in CONCRETE
    assert str(config.data.dataset.init_args[where]) == "elsewhere"


def test_every_data_set_has_a_data_file() -> None:
    configured = {
        parse("--data", str(file)).data.dataset.class_path.rpartition(".")[2] for file in CONFIGS.glob("*.yaml")
    }
    assert configured == set(CONCRETE)
