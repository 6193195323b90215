"""What a user calls a data set (a folder, a csv file, a configuration, a run) -> its data module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from vidcls.errors import ConfigurationError
from vidcls.remote import check_allowed, is_address
from vidcls.types import FLOW, RGB, Stream

if TYPE_CHECKING:
    from vidcls.datasets import VideoDataset
    from vidcls.loading import VideoDataModule
    from vidcls.loading.video_data import VideoData
    from vidcls.models import VideoClassifier

SOURCE = "FOLDER|CSV|CONFIG|RUN"
SOURCE_HELP = (
    "a folder of videos by class, a csv file, an export of a label tool (CVAT's .xml, Label Studio's .json, FiftyOne's "
    "folder), a configuration by name or file, or a run (best, runs/NAME or its folder)"
)
DEFAULT_MODEL = "TwoStream"
DEFAULT_STREAMS: tuple[Stream, ...] = (RGB, FLOW)  # of this model, which takes Lightning to be imported


def data_of(
    source: str,
    config: str | None,
    others: Sequence[str],
    *,
    dataset: VideoDataset | None = None,
    streams: Sequence[Stream] = DEFAULT_STREAMS,
) -> VideoData:
    """The data that ``vidcls fit`` would train on, its videos in place.

    A folder or a csv file, with options of the data alone, is read without Lightning.

    Args:
        source: see ``SOURCE_HELP``.
        config: for a folder or a csv file: whose clips and model are meant.
        others: further options, such as ``--data.clip_len 8``.
        dataset: the data set itself, where it is made already.
        streams: of a folder or a csv file without ``config``.

    Raises:
        UnsoundDatasetError: it contradicts itself or its files.
        VidclsError: no such data set, or options that contradict each other.
    """
    from vidcls.cli.words import Words

    words = Words(_arguments(source, config, others))
    of_data = words.without("--model")
    if words.values("--model") != [DEFAULT_MODEL] or any(
        not w.option.startswith("--data") for w in of_data if w.option
    ):
        return data_module(source, config, others, dataset=dataset)
    from jsonargparse import ArgumentError

    from vidcls.cli.chosen_dataset import with_one_dataset
    from vidcls.loading.from_config import video_data_of

    try:
        plain_streams = [stream.plain() for stream in streams]
        return video_data_of(with_one_dataset(of_data).arguments, streams=plain_streams, dataset=dataset)
    except ArgumentError as error:
        from vidcls.cli.messages import own_message, parser_message  # knows the trainer, which takes seconds to import

        raise ConfigurationError(own_message(error) or parser_message(error)) from error


def data_module(
    source: str, config: str | None, others: Sequence[str], *, dataset: VideoDataset | None = None
) -> VideoDataModule:
    """The same as a data module, which loads clips.

    Args:
        source: see ``SOURCE_HELP``.
        config: for a folder or a csv file: whose clips and model are meant.
        others: further options, such as ``--data.clip_len 8``.

    Raises:
        VidclsError: no such data set, or options that contradict each other.
    """
    from vidcls.loading.from_config import data_module_of

    found = resolved(source, config, others)
    return data_module_of(found.data, dataset=dataset, streams=found.streams)


@dataclass(frozen=True)
class ResolvedFit:
    """What ``vidcls fit`` would make, in plain types.

    Args:
        data: the data section.
        model_class: of the model.
        arguments: of this class, without those that the data tells and without weights that would be loaded.
        streams: what the model sees.
    """

    data: dict[str, object]
    model_class: type[VideoClassifier]
    arguments: dict[str, object]
    streams: list[object]


def resolved(source: str, config: str | None, others: Sequence[str]) -> ResolvedFit:
    """The model and the data of a configuration; see :func:`data_module`."""
    from vidcls.cli.resolved_config import plain, resolved_fit
    from vidcls.models.build import import_class
    from vidcls.models.classifier import LINKED_ARGUMENTS

    parsed = resolved_fit(_arguments(source, config, others))
    model_class: type[VideoClassifier] = import_class(parsed.model.class_path)
    data, arguments = plain(parsed.data), plain(parsed.model.init_args)
    assert isinstance(data, dict)
    assert isinstance(arguments, dict)
    arguments = {name: value for name, value in arguments.items() if name not in LINKED_ARGUMENTS}
    arguments |= dict.fromkeys((name for name in model_class.initial_weights if name in arguments), None)
    return ResolvedFit(data, model_class, arguments, [stream.plain() for stream in model_class.streams])


def is_bare(source: str) -> bool:
    """Whether a data set is named without a configuration: a folder of videos, or a csv file."""
    from vidcls.runs.folder import CONFIG_FILE
    from vidcls.video_files import LIST_SUFFIXES

    path = Path(source)
    return (
        is_address(source)
        or (path.is_dir() and not (path / CONFIG_FILE).is_file())
        or path.suffix.lower() in LIST_SUFFIXES
        or export_of(path) is not None
    )


def export_of(path: Path) -> list[str] | None:
    """The options that read what a label tool exported; None where it is no such export."""
    if path.suffix.lower() == ".xml" and path.is_file():
        return ["--data", "cvat", "--data.dataset.path", str(path)]
    if (path / "labels.json").is_file() and any((path / name).exists() for name in ("data", "data.json")):
        return ["--data", "fiftyone", "--data.dataset.root", str(path)]
    if path.suffix.lower() == ".json" and path.is_file():
        with path.open("rb") as file:
            is_list = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")  # a configuration is no list
        return ["--data", "label_studio", "--data.dataset.path", str(path)] if is_list else None
    return None


def check_source(source: str, config: str | None, others: Sequence[str]) -> None:
    """Refuse a data set or an option that does not exist, before anything is imported that takes seconds.

    Raises:
        VidclsError: as of `data_of`.
    """
    from vidcls.cli.chosen_dataset import with_one_dataset
    from vidcls.cli.option_names import check_options, refuse_strays
    from vidcls.cli.words import Words

    words = Words(_arguments(source, config, others))
    refuse_strays(words)
    check_options(with_one_dataset(words))


def _arguments(source: str, config: str | None, others: Sequence[str]) -> list[str]:
    from vidcls.cli.words import Words
    from vidcls.runs.folder import CONFIG_FILE, CheckpointName
    from vidcls.runs.trained_model import holds_runs, run_named
    from vidcls.video_files import LIST_SUFFIXES, is_video

    if not source:
        raise ConfigurationError(f"the name of the data set is empty: pass {SOURCE_HELP}")
    if is_address(source):
        check_allowed(source)
    path = Path(source)
    if source in get_args(CheckpointName) or holds_runs(path):
        path = run_named(source)
    if (is_address(source) or path.is_file()) and is_video(path.name):
        raise ConfigurationError(f"{source}: is one video, not a data set: pass {SOURCE_HELP}")
    is_run = path.is_dir() and (path / CONFIG_FILE).is_file()
    if not is_bare(source):
        if config is not None:
            raise ConfigurationError(f"--config: {source} is a configuration itself: remove one of them")
        if is_run:
            return ["--config", str(path / CONFIG_FILE), *others]
        try:
            return [*Words(["--config", source]).arguments, *others]
        except ConfigurationError as error:
            raise ConfigurationError(
                f"{source}: no such folder or file, and no shipped configuration of that name: pass {SOURCE_HELP}"
            ) from error
    exported = None if is_address(source) else export_of(path)
    if exported is not None:
        data = exported
    elif path.is_dir() or (is_address(source) and path.suffix.lower() not in LIST_SUFFIXES):
        data = ["--data", "video_folder", "--data.dataset.root", source]
    elif path.is_file() or is_address(source):
        data = ["--data", "video_csv", "--data.dataset.path", source]
    else:
        raise ConfigurationError(f"{source}: no such file: pass {SOURCE_HELP}")
    model = ["--config", config] if config is not None else ["--model", DEFAULT_MODEL]
    return [*model, *data, *others]
