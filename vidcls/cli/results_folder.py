"""A run and the data of a test -> where its results lie: in the run for its own data, below it for any other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from jsonargparse import Namespace

from vidcls.cli.agreement import dataset_of, is_same_dataset
from vidcls.cli.runs import CONFIG_FILE
from vidcls.errors import ConfigurationError
from vidcls.settings_file import read_json, read_settings

TESTS = "tests"
TEST_FILE = "test.json"


def results_folder(run: Path, data: Namespace) -> Path:
    """``RUN`` for the data set that the run was trained on, else ``RUN/tests/<name of the data>``.

    Another data set of the same name, elsewhere, gets a number behind it; the same one again gets the same folder.

    Args:
        run: the run folder.
        data: the data section of the command.
    """
    config, dataset = run / CONFIG_FILE, dataset_of(data)
    if not config.is_file():
        return run
    trained = read_settings(config).get("data")
    if isinstance(trained, Mapping) and is_same_dataset(trained.get("dataset"), dataset):
        return run
    name = _name(dataset)
    for number in range(1, 10_000):
        folder = run / TESTS / (name if number == 1 else f"{name}_{number}")
        if not (folder / TEST_FILE).is_file() or is_same_dataset(_tested(folder), dataset):
            return folder
    raise AssertionError("ten thousand data sets of one name")


def _name(dataset: object) -> str:
    """What a person would call it: its file, its folder, or its class."""
    arguments = dataset.get("init_args") if isinstance(dataset, Mapping) else None
    if isinstance(arguments, Mapping):
        for place, is_file in (("path", True), ("root", False)):
            if arguments.get(place):
                path = Path(str(arguments[place])).absolute()
                found = path.stem if is_file else path.name
                return re.sub(r"[^\w.+-]", "_", found).lstrip(".") or "other"
    class_path = str(dataset.get("class_path", "")) if isinstance(dataset, Mapping) else ""
    return class_path.rpartition(".")[2] or "other"


def _tested(folder: Path) -> object:
    try:
        return read_json(folder / TEST_FILE).get("dataset")
    except (ConfigurationError, OSError, ValueError):
        return None
