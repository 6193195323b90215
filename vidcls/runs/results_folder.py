"""A run and the data of a test -> where its results lie: in the run for its own data, below it for any other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from vidcls.errors import ConfigurationError
from vidcls.runs.dataset_identity import is_same_dataset
from vidcls.runs.folder import CONFIG_FILE, OTHER_TESTS, SUMMARY_FILE
from vidcls.runs.summary import read_summary
from vidcls.settings_file import read_settings


def results_folder(run: Path, dataset: object) -> Path:
    """``RUN`` for the data set that the run was trained on, else ``RUN/tests/<name of the data>``.

    Another data set of the same name, elsewhere, gets a number behind it; the same one again gets the same folder.

    Args:
        run: the run folder.
        dataset: that is tested, in plain types, as a configuration has it.
    """
    config = run / CONFIG_FILE
    if not config.is_file():
        return run
    trained = read_settings(config).get("data")
    if isinstance(trained, Mapping) and is_same_dataset(trained.get("dataset"), dataset):
        return run
    name = _name(dataset)
    for number in range(1, 10_000):
        folder = run / OTHER_TESTS / (name if number == 1 else f"{name}_{number}")
        if not (folder / SUMMARY_FILE).is_file() or is_same_dataset(_tested(folder), dataset):
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
        return read_summary(folder).get("dataset")
    except (ConfigurationError, OSError, ValueError):
        return None
