"""The data section of a resolved configuration -> the videos that it means, or the data module itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from vidcls.datasets import VideoDataset
from vidcls.errors import ConfigurationError, DatasetError
from vidcls.loading.argument_checks import folded
from vidcls.loading.video_data import VideoData
from vidcls.tasks import task_class
from vidcls.trusted_classes import refusal_in
from vidcls.trusted_settings import made_from
from vidcls.types import VideoRecord

if TYPE_CHECKING:
    from vidcls.loading import VideoDataModule

Data = TypeVar("Data", bound=VideoData)


def videos_of(data: Mapping[str, object]) -> Sequence[VideoRecord]:
    """The videos of a data section with their splits, folds taken into account; no file is opened.

    Raises:
        DatasetError: the data set is not there or cannot be cut like that.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--dataset", type=VideoDataset)
    try:
        parsed = parser.parse_object({"dataset": data.get("dataset")})
        task = data.get("task")
        assert isinstance(task, str | None)
        settle_labels(task, parsed.dataset)
        dataset = made_from(parser, parsed).dataset
        num_folds, fold, fold_seed = data.get("num_folds"), data.get("fold"), data.get("fold_seed", 0)
        assert isinstance(num_folds, int | None)
        assert isinstance(fold, int | None)
        assert isinstance(fold_seed, int)
        val_folds, val_fold = data.get("val_folds"), data.get("val_fold")
        assert isinstance(val_folds, int | None)
        assert isinstance(val_fold, int | None)
        return folded(dataset.records, num_folds, fold, fold_seed, val_folds=val_folds, val_fold=val_fold)
    except (ArgumentError, ValueError) as error:
        reason = refusal_in(error) or " ".join(str(error).split())
        raise DatasetError(f"the data set cannot be used: {reason}") from error


def data_module_of(
    data: Mapping[str, object], *, dataset: VideoDataset | None = None, **changes: object
) -> VideoDataModule:
    """The data module of a data section, with some of its entries changed; what it must write first is written.

    Args:
        data: the section.
        dataset: its data set, where it is made already.
        **changes: of the section.

    Raises:
        ConfigurationError: the section cannot be understood.
    """
    from vidcls.loading.datamodule import VideoDataModule  # imports Lightning, which takes seconds

    return _made(VideoDataModule, data, dataset, **changes)


def video_data_of(words: Sequence[str], *, dataset: VideoDataset | None = None, **changes: object) -> VideoData:
    """The data that options such as ``--data.clip_len 8`` mean; what must be written first is written.

    Args:
        words: the options.
        dataset: its data set, where it is made already.
        **changes: of what the options say.

    Raises:
        ArgumentError: an option or a value that there is not.
        VidclsError: the data set cannot be used.
    """
    parser = _parser(VideoData)
    return _made(VideoData, parser.parse_args(list(words)).data.as_dict(), dataset, **changes)


def settle_labels(task: str | None, dataset: Namespace) -> None:
    """Let a list of videos be read as the task needs it, where nothing is said of its labels.

    Args:
        task: by name; the default one where None.
        dataset: the section of the data set, as parsed.
    """
    arguments = dataset.get("init_args")
    is_ours = str(dataset.get("class_path")).startswith("vidcls.")
    if is_ours and arguments is not None and "labels" in arguments and not task_class(task).has_one_class:
        arguments["labels"] = arguments["labels"] or "several"


def _parser(kind: type[VideoData], *, without: Sequence[str] = ()) -> ArgumentParser:
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_class_arguments(kind, "data", sub_configs=True, skip=set(without), instantiate=not without)
    return parser


def _made(kind: type[Data], data: Mapping[str, object], dataset: VideoDataset | None, **changes: object) -> Data:
    without = () if dataset is None else ("dataset",)
    parser = _parser(kind, without=without)
    section = {name: value for name, value in {**data, **changes}.items() if name not in without}
    try:
        parsed = parser.parse_object({"data": section})
        if not without:
            settle_labels(parsed.data.task, parsed.data.dataset)
        made = made_from(parser, parsed).data
        module: Data = made if dataset is None else kind(dataset, **vars(made))
    except (ArgumentError, ValueError) as error:
        reason = refusal_in(error) or " ".join(str(error).split())
        raise ConfigurationError(f"the data of the run cannot be used: {reason}") from error
    module.prepare_data()
    return module
