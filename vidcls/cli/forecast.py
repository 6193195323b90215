"""A data set -> lines that say how long a training from its files will wait, and the command that changes it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.backbones import PACKAGE_OF
from vidcls.types import RGB

if TYPE_CHECKING:
    from torch import nn

    from vidcls.datasets import VideoDataset
    from vidcls.loading.training_forecast import TrainingForecast
    from vidcls.loading.video_data import VideoData
    from vidcls.types import VideoRecord

    Measured = tuple[VideoData, Callable[[], nn.Module], str]

TYPICAL = "two_stream"  # the configuration of the first command in README.md
FOR_OWN_VIDEOS, ITS_BACKBONE = "late_fusion_imagenet", "efficientnet_lite0"  # what README.md has for a folder of videos


def forecast_of(
    source: str,
    config: str | None,
    others: Sequence[str],
    *,
    dataset: VideoDataset,
    records: list[VideoRecord],
    file: Path | None,
) -> tuple[TrainingForecast, list[str]] | None:
    """What a training would wait for, and the lines that say so; None where no clip can be loaded.

    Args:
        source: what the user calls the data set.
        config: for a folder or a csv file, the configuration that is meant; None for the typical one.
        others: further options.
        dataset: the data set itself.
        records: the videos of it that can be read.
        file: remembers what was measured.
    """
    import torch

    from vidcls.cli.data_source import is_bare
    from vidcls.loading.training_copies import training_copy
    from vidcls.loading.training_forecast import known_forecast

    is_plain = config is None and is_bare(source)
    typical = FOR_OWN_VIDEOS if _is_for_own_videos(others) else TYPICAL
    if is_plain:
        data, network, what = _typical(source, typical, others, dataset)
    else:
        data, network, what = _configured(source, config, others, dataset)
    data.records = records
    train = [record for record in records if record.split == "train"]
    if len({record.label for record in train}) < 2:
        return None
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    forecast = known_forecast(
        data,
        train,
        network,
        what=what,
        device=device,
        file=file,
    )
    if forecast is None:
        return None
    name = f"--config {typical}" if is_plain else f"--config {config}" if config is not None else source
    copy = None if data.flow_source is not None else training_copy(data)
    prepare = ["vidcls", "data", "prepare", source, f"{Path(source).stem}_small"]
    if copy is not None:
        prepare += ["--short_side", str(copy.settings.short_side_px)]
        prepare += ["--with_flow", copy.flow_settings.method] if copy.flow_settings is not None else []
    command, num_clips = shlex.join([*prepare, *_of_dataset(others)]), data.num_repeats * len(train)
    return forecast, forecast_lines(forecast, name=name, device=device.type, num_clips=num_clips, command=command)


def _is_for_own_videos(others: Sequence[str]) -> bool:
    """Whether the configuration for videos of one's own can be measured: not without its weights, nor for flow."""
    package, _ = PACKAGE_OF[ITS_BACKBONE]
    return find_spec(package) is not None and all(word.startswith("--data.dataset") for word in _options(others))


def _options(words: Sequence[str]) -> Iterator[str]:
    return (word for word in words if word.startswith("--"))


def _of_dataset(words: Sequence[str]) -> Iterator[str]:
    """The options of the data set with their values."""
    is_taken = False
    for word in words:
        if word.startswith("--"):
            is_taken = word.startswith("--data.dataset")
        if is_taken:
            yield word


def _configured(source: str, config: str | None, others: Sequence[str], dataset: VideoDataset) -> Measured:
    """The data and the network of a configuration."""
    from vidcls.cli.data_source import resolved
    from vidcls.loading.from_config import data_module_of
    from vidcls.models.build import instantiate_model

    found = resolved(source, config, others)
    data = data_module_of(found.data, dataset=dataset, streams=found.streams)
    kind, arguments = found.model_class, found.arguments
    what = repr((kind.__name__, arguments, len(data.class_names)))
    return data, lambda: instantiate_model(kind, data.class_names, data.clip, arguments, task=data.task.name), what


def _typical(source: str, name: str, others: Sequence[str], dataset: VideoDataset) -> Measured:
    """Those of a typical configuration, by its name, without Lightning, which takes seconds to import."""
    from vidcls.cli.data_source import DEFAULT_STREAMS, data_of
    from vidcls.cli.shipped_configs import config_path
    from vidcls.loading.typical_network import TypicalLateFusion, TypicalNetwork
    from vidcls.settings_file import read_settings, section

    file = Path(config_path(name, "--config"))
    settings = section(read_settings(file), "data", file)
    words = [f"--data.{key}={json.dumps(value)}" for key, value in settings.items() if key != "dataset"]
    is_two_stream = name == TYPICAL
    streams = DEFAULT_STREAMS if is_two_stream else (RGB,)
    data = data_of(source, None, [*words, *others], dataset=dataset, streams=streams)
    num_classes = len(data.class_names)

    def network() -> nn.Module:
        return TypicalNetwork(data.clip, num_classes) if is_two_stream else TypicalLateFusion(num_classes)

    return data, network, f"{name} {num_classes}"


def forecast_lines(forecast: TrainingForecast, *, name: str, device: str, num_clips: int, command: str) -> list[str]:
    """The forecast for a reader.

    Args:
        forecast: what was measured.
        name: of the configuration.
        device: that it trained on.
        num_clips: of an epoch.
        command: that makes the copy.
    """
    from vidcls.loading.training_copies import LEAST_SHARE, duration

    wait, copy_wait = forecast.wait, forecast.copy_wait
    loaded = wait.loaded_per_second * max(1, min(wait.num_workers, wait.num_cores))
    loaders = f"{wait.num_workers} loader workers load" if wait.num_workers else "one process loads"
    measured = (
        f"measured on this machine: {loaders} about {loaded:.3g} clips/s, "
        f"the network trains on {wait.step.clips_per_second:.3g} ({device}, batches of {wait.step.batch_size})"
    )
    epoch = duration(wait.epoch_seconds(num_clips))
    if wait.share < LEAST_SHARE:
        return [f"with {name} loading keeps up: an epoch of {num_clips} clips takes about {epoch}", measured]
    lines = [
        f"with {name} a training from these files will wait for data about {round(100 * wait.share, -1):.0f} % of its "
        f"time: an epoch of {num_clips} clips takes about {epoch}",
        measured,
    ]
    if copy_wait is not None and forecast.copy_seconds is not None and forecast.copy_bytes is not None:
        lines += [
            f"from a small copy an epoch takes about {duration(copy_wait.epoch_seconds(num_clips))}; making it takes "
            f"about {duration(forecast.copy_seconds)} and {forecast.copy_bytes / 1e6:.0f} MB:",
            f"  {command}",
            "or let fit make it: add --data.prepare auto",
        ]
    return lines
