"""A training about to begin -> the lines that say what it trains, on what, and where.

::

      lengths: 12 to 143 frames, 25 frames per second
      908 of 1,500 videos are shorter than a clip of 61 frames: looped
    clip: 16 frames of 112x112 pixels, every 4th
    normalisation: RGB by ImageNet's mean and deviation
    run folder: runs/conv3d/2026-01-31_12-00-00
    network: Conv3D, 31,303,203 parameters
      backbone: r2plus1d_18, pretrained weights DEFAULT
    device: cpu, 2 cores, 2 worker processes to load
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer

from vidcls.callbacks.pretrained_input import pretrained_input_lines, published_input_lines
from vidcls.checks.clip_lengths import ClipLengths, clip_lengths
from vidcls.clips.settings import InputSettings
from vidcls.datasets.record_facts import split_counts
from vidcls.loading import VideoDataModule
from vidcls.training.machine import this_machine
from vidcls.types import sees

POLICIES = {"loop": "looped", "last": "the last frame is repeated", "error": "refused"}
MEANS: dict[tuple[float, ...], str] = {
    (0.485, 0.456, 0.406): "ImageNet's",
    (0.43216, 0.394666, 0.37645): "Kinetics'",
}
LEFT_OUT_SHARE = 0.05
ORDINALS = {2: "2nd", 3: "3rd"}


def first_lines(trainer: Trainer, model: LightningModule, run: Path) -> list[str]:
    """What a user looks at before a training of hours begins.

    Args:
        trainer: its data module in place.
        model: what is trained.
        run: the run folder.
    """
    data = trainer.datamodule  # type: ignore[attr-defined]
    lines: list[str] = []
    if isinstance(data, VideoDataModule):
        lengths = clip_lengths(data.records, data.input_settings, unusable=data.known_bad)
        lines += [*length_lines(lengths), *input_lines(data.input_settings)]
        has_batches = not getattr(model, "fits_features", False)  # heads on features see all videos at once
        if has_batches and not data.class_balanced:
            num_videos = split_counts(data.records)["train"]
            lines += left_out_lines(num_videos, data.batch_size // data.num_repeats * trainer.world_size)
        if has_batches:
            lines += repeat_lines(data.num_repeats)
        if trainer.ckpt_path is None:
            lines += pretrained_input_lines(pretrained_networks(model), data.input_settings)
            lines += published_input_lines(getattr(model, "published", None), data.input_settings)
    lines += [f"run folder: {run}", *network_lines(model, trainer.ckpt_path)]
    return [*lines, *device_lines(trainer, getattr(data, "num_workers", None))]


def length_lines(found: ClipLengths) -> Iterator[str]:
    """How long videos are, how fast, and how many of them are shorter than a clip."""
    if not found.lengths:
        return
    num_known = len(found.lengths)
    frames = _range([length.num_frames for length in found.lengths])
    rates = _range([round(length.fps, 2) for length in found.lengths if length.fps > 0])
    some = "" if num_known == found.num_videos else f" ({num_known:,} of {found.num_videos:,} videos looked at)"
    yield f"  lengths: {frames} frames" + (f", {rates} frames per second" if rates else "") + some
    if found.num_short:
        of = "videos" if num_known == found.num_videos else "videos looked at"
        is_one = found.num_short == 1
        yield (
            f"  {found.num_short:,} of {num_known:,} {of} {'is' if is_one else 'are'} shorter than a clip of "
            f"{_range(found.spans)} frames: {POLICIES[found.settings.short_videos]}"
        )


def input_lines(settings: InputSettings) -> Iterator[str]:
    """What the network sees of a video."""
    clip, transform = settings.clip, settings.transform
    seen = []
    if sees(settings.streams, "rgb"):
        every = f", one every {settings.stride_seconds:g} s" if settings.stride_seconds is not None else ""
        if settings.stride_seconds is None and clip.stride > 1 and clip.clip_len > 1:
            every = f", every {ORDINALS.get(clip.stride, f'{clip.stride}th')}"
        seen.append(_count(clip.clip_len, "frame") + every)
    if sees(settings.streams, "flow"):
        seen.append(_count(clip.flow_len, "flow field"))
    if sees(settings.streams, "audio"):
        seen.append(f"{settings.sound_seconds:g} s of sound")
    height, width = transform.crop_size
    snippets = f" in each of {clip.num_snippets} snippets" if clip.num_snippets > 1 else ""
    yield f"clip: {' and '.join(seen)}{snippets}, {width}x{height} pixels"
    norms = []
    if sees(settings.streams, "rgb"):
        known = MEANS.get(tuple(transform.rgb_mean))
        mean, deviation = (_channels(values) for values in (transform.rgb_mean, transform.rgb_std))
        norms.append(f"RGB by {known} mean and deviation" if known else f"RGB by mean {mean} and deviation {deviation}")
    if sees(settings.streams, "flow"):
        less = "less its mean" if transform.flow_subtract_mean else "as it is"
        norms.append(f"flow {less}" + (f", by {transform.flow_std_px:g} px" if transform.flow_std_px != 1 else ""))
    if sees(settings.streams, "audio"):
        norms.append("sound less silence")
    yield f"normalisation: {'; '.join(norms)}"


def repeat_lines(num_repeats: int) -> Iterator[str]:
    """What repeated augmentation does to an epoch."""
    if num_repeats > 1:
        yield (
            f"repeats: {num_repeats} clips of each video that is opened, so that an epoch has {num_repeats} times the "
            f"clips and steps (divide --trainer.max_epochs by {num_repeats} for as many as without)"
        )


def left_out_lines(num_videos: int, per_step: int) -> Iterator[str]:
    """How many training videos each epoch leaves out, where these are more than a twentieth.

    Args:
        num_videos: in the training split.
        per_step: of the batches of all processes together.
    """
    num_left = num_videos % per_step if num_videos >= per_step else 0
    if num_left > LEFT_OUT_SHARE * num_videos:
        yield (
            f"hint: each epoch leaves out {num_left:,} of {num_videos:,} training videos, others each time: the last "
            f"batch of {per_step} would not be full; lower --data.batch_size"
        )


def network_lines(model: LightningModule, checkpoint: object) -> Iterator[str]:
    """The network, its size, and where its weights come from.

    Args:
        model: what is trained.
        checkpoint: that the training goes on from; None where it begins.
    """
    num_all = sum(parameter.numel() for parameter in model.parameters())
    num_trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    trained = "" if num_trained == num_all else f", {num_trained:,} of them trained"
    yield f"network: {type(model).__name__}, {num_all:,} parameters{trained}"
    if checkpoint is not None:
        yield f"  weights: of {checkpoint}"
        return
    arguments, named = model.hparams, getattr(model, "initial_weights", ())
    for name in dict.fromkeys(_network_of(argument) for argument in named):
        given = {argument: arguments.get(argument) for argument in named if _network_of(argument) == name}
        origin = next((value for value in given.values() if value is not None), None)
        weights = "from scratch" if origin is None else f"pretrained weights {origin}"
        network = arguments.get(name)
        yield f"  {weights}" if network is None else f"  {name}: {network}, {weights}"


def pretrained_networks(model: LightningModule) -> dict[str, tuple[str, str | None]]:
    """The networks that see RGB with pretrained weights: by argument the backbone, and its weights."""
    arguments = model.hparams
    found: dict[str, tuple[str, str | None]] = {}
    for argument in getattr(model, "initial_weights", ()):
        network = _network_of(argument)
        name, weights = arguments.get(network), arguments.get(argument)
        if isinstance(name, str) and weights is not None and network not in ("temporal", "audio"):
            found[argument] = (name, str(weights))
    return found


def starts_from_scratch(model: LightningModule, checkpoint: object) -> bool:
    """Whether all weights are random: no checkpoint is continued, and none of the networks is pretrained."""
    given = (model.hparams.get(argument) for argument in getattr(model, "initial_weights", ()))
    return checkpoint is None and all(value is None for value in given)


def device_lines(trainer: Trainer, num_workers: int | None) -> Iterator[str]:
    """What computes and what loads."""
    device, cores = trainer.strategy.root_device, this_machine().num_cores
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    words = [f"device: {device}{name}", _count(cores, "core")]
    if trainer.world_size > 1:
        words.append(f"{trainer.world_size} processes")
    if num_workers is not None:
        words.append(
            f"{_count(num_workers, 'worker process')} to load" if num_workers else "loading in the process itself"
        )
    yield ", ".join(words)
    total = (num_workers or 0) * trainer.world_size
    if total > 2 * cores:
        yield (
            f"hint: {total} worker processes on {cores} cores take memory and hardly load faster: lower "
            "--data.num_workers"
        )


def _network_of(argument: str) -> str:
    """The argument that names the network whose weights this one names: ``spatial`` of ``spatial_weights``."""
    prefix = argument.removesuffix("checkpoint").removesuffix("weights").removesuffix("_")
    return {"": "backbone", "flow": "flow_backbone"}.get(prefix, prefix)


def _range(values: Sequence[float]) -> str:
    if not values:
        return ""
    least, most = min(values), max(values)
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def _channels(values: Sequence[float]) -> str:
    """One number where all channels have the same."""
    return " ".join(f"{value:.3g}" for value in (values[:1] if len(set(values)) == 1 else values))


def _count(number: int, word: str) -> str:
    ending = "" if number == 1 else "es" if word.endswith("s") else "s"
    return f"{number} {word}{ending}"
