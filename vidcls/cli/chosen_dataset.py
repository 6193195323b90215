"""Configurations that name several data sets -> the same with the one that counts; it inherits nothing of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from vidcls.cli.signatures import arguments_in, exported
from vidcls.cli.words import Word, Words
from vidcls.errors import ConfigurationError

# The data sets with the configurations that choose them, those that a user is most likely to mean first.
CONFIG_OF = {
    "VideoFolder": "video_folder",
    "VideoCsv": "video_csv",
    "UCF101": "ucf101",
    "HMDB51": "hmdb51",
    "Kinetics": "kinetics",
    "SomethingSomething": "something_something",
    "LabelStudio": "label_studio",
    "CVAT": "cvat",
    "FiftyOne": "fiftyone",
    "MovingShapes": "moving_shapes",
}
DATASET = ("--data.dataset", "--data.dataset.class_path")


def with_one_dataset(words: Words) -> Words:
    """The words with every configuration of another data set than the chosen one rid of it.

    The parser would keep what both happen to have: the folder of a ``VideoFolder`` would become the folder that the
    paths in a ``VideoCsv`` are relative to.

    An option counts more than a ``--data`` file, and that more than a ``--config``; among equals the last one counts.

    Raises:
        ConfigurationError: see `check_options`.
    """
    in_configs = [(word, _name(data.get("dataset"))) for word, data in words.sections("data")]
    chosen = _chosen(words)
    check_options(words, dataset_of_words(words), is_named=bool(chosen))
    chosen = chosen or _last(name for _, name in in_configs)
    if not chosen:
        return words
    others = {id(word) for word, name in in_configs if _last([name]) not in ("", chosen)}
    return Words([_without_dataset(word) if id(word) in others else word for word in words])


def dataset_of_words(words: Words) -> str:
    """The class of the data set that counts, without its module; empty where none is named."""
    return _chosen(words) or _last(_name(data.get("dataset")) for _, data in words.sections("data"))


def check_options(words: Iterable[Word], dataset: str, *, is_named: bool) -> None:
    """Refuse options of another data set than the one that counts.

    Args:
        words: of the command line.
        dataset: the class that counts, without its module; empty where there is none.
        is_named: whether the user chose it with ``--data`` or ``--data.dataset``; else a configuration did.

    Raises:
        ConfigurationError: the data set has no such option but another has; or a folder is given for the synthetic
            videos of a configuration, by a user who most likely means their own.
    """
    if dataset not in CONFIG_OF:
        return
    homes = exported("vidcls.datasets")
    known = {name: arguments_in(homes[name], name) or () for name in CONFIG_OF}
    for word in words:
        option = word.option
        if not option.startswith(f"{DATASET[0]}.") or option in DATASET:
            continue
        name = option.removeprefix(f"{DATASET[0]}.").removeprefix("init_args.").partition(".")[0].rstrip("+")
        owners = [each for each, found in known.items() if name in found]
        typed = f"{option} {word.value or ''}"
        if dataset not in owners and owners:
            others = " or ".join(f"--data {CONFIG_OF[each]}" for each in owners)
            raise ConfigurationError(
                f"{option}: the data set here is {dataset}, which has no such option: choose another in the same "
                f"command ({others}), as in --data {CONFIG_OF[owners[0]]} {typed}"
            )
        if dataset == "MovingShapes" and name == "root" and not is_named:
            raise ConfigurationError(
                f"{typed}: the data set of this configuration is MovingShapes, built-in synthetic videos: for your own "
                f"videos: --data video_folder {typed}; to keep the synthetic ones there: --data moving_shapes {typed}"
            )


def is_dataset_named(words: Words) -> bool:
    """Whether the command line itself says something of the data set, beyond what its configurations say."""
    return any(word.option in ("--data", *DATASET) or word.option.startswith(f"{DATASET[0]}.") for word in words)


def _chosen(words: Words) -> str:
    """The class that ``--data`` or ``--data.dataset`` chooses; empty where neither does."""
    in_files = [_name(data.get("dataset")) for word, data in words.sections("data") if word.option == "--data"]
    return _last([*in_files, *words.values(*DATASET)])


def _without_dataset(word: Word) -> Word:
    section = word.content if word.option == "--data" else word.content["data"]
    assert isinstance(section, dict)
    data = {key: value for key, value in section.items() if key != "dataset"}
    return replace(word, replacement=data if word.option == "--data" else {**word.content, "data": data})


def _last(names: Iterable[str]) -> str:
    """The class of the last data set that is named, without its module; empty where none is."""
    return next((name.rpartition(".")[2] for name in reversed([*names]) if name), "")


def _name(dataset: object) -> str:
    name = dataset.get("class_path") if isinstance(dataset, Mapping) else dataset
    return name if isinstance(name, str) else ""
