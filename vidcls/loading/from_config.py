"""The data section of a resolved configuration -> the videos that it means, or the data module itself."""

from __future__ import annotations

from collections.abc import Mapping

from jsonargparse import ArgumentError, ArgumentParser

from vidcls.datasets import VideoDataset
from vidcls.errors import ConfigurationError, DatasetError
from vidcls.loading.arguments import folded
from vidcls.loading.datamodule import VideoDataModule
from vidcls.trusted_classes import refusal_in
from vidcls.trusted_settings import made_from
from vidcls.types import VideoRecord


def videos_of(data: Mapping[str, object]) -> list[VideoRecord]:
    """The videos of a data section with their parts, folds taken into account; no file is opened.

    Raises:
        DatasetError: the data set is not there or cannot be cut like that.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--dataset", type=VideoDataset)
    try:
        dataset = made_from(parser, parser.parse_object({"dataset": data.get("dataset")})).dataset
        num_folds, fold = data.get("num_folds"), data.get("fold")
        assert isinstance(num_folds, int | None)
        assert isinstance(fold, int | None)
        return folded(dataset.records, num_folds, fold)
    except (ArgumentError, ValueError) as error:
        reason = refusal_in(error) or " ".join(str(error).split())
        raise DatasetError(f"the data set cannot be used: {reason}") from error


def data_module_of(data: Mapping[str, object], **changes: object) -> VideoDataModule:
    """The data module of a data section, with some of its entries changed; what it must write first is written.

    Raises:
        ConfigurationError: the section cannot be understood.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(VideoDataModule, "data", sub_configs=True)
    try:
        module: VideoDataModule = made_from(parser, parser.parse_object({"data": {**data, **changes}})).data
    except (ArgumentError, ValueError) as error:
        reason = refusal_in(error) or " ".join(str(error).split())
        raise ConfigurationError(f"the data of the run cannot be used: {reason}") from error
    module.prepare_data()
    return module
