"""How a video becomes the input of a network -> one paragraph that says it."""

from __future__ import annotations

from vidcls.loading import VideoDataModule
from vidcls.transforms import TransformSettings
from vidcls.types import sees


def input_words(data: VideoDataModule, seen_by: str = "") -> str:
    """Which frames, which sizes and which changes, in sentences.

    Args:
        data: the data.
        seen_by: whose settings these are, such as ``the configuration two_stream``.
    """
    settings = data.input_settings
    clip, transform = settings.clip, settings.transform
    stride = f"{settings.stride_seconds:g} s apart" if settings.stride_seconds is not None else _apart(clip.stride)
    parts: list[str] = []
    if sees(settings.streams, "rgb"):
        parts.append(f"{_number(clip.clip_len, 'frame')}{f', {stride},' if clip.clip_len > 1 else ''}")
    if sees(settings.streams, "flow"):
        parts.append(f"{_number(clip.flow_len, 'field')} of optical flow between neighbouring frames")
    if sees(settings.streams, "audio"):
        parts.append(f"{settings.sound_seconds:g} s of sound")
    snippets = f" from each of {clip.num_snippets} segments of the video" if clip.num_snippets > 1 else ""
    H, W = transform.crop_size
    resized = f"a short side of {transform.resize_px} px" if transform.resize_px is not None else "the video's own size"
    size = f"at {resized}, of which the network sees {H}x{W} px"
    if transform.stretch:
        size = f"the whole frame at {H}x{W} px"
    views = _number(settings.test_clips, "clip") + " x " + _number(transform.test_crops, "crop")
    whose = f"Seen by {seen_by}: a" if seen_by else "A"
    return (
        f"{whose} clip has {' and '.join(parts).removesuffix(',')}{snippets}, {size}. "
        f"Training: {_training(transform)}. Test: {views} of each video."
    )


def _training(transform: TransformSettings) -> str:
    crop = {
        "center": "the centre",
        "random": "a crop at a random place",
        "random_resized": f"a crop of random size (from {100 * transform.min_area:g} % of the frame), aspect and place",
        "multi_scale": "a corner or the centre, of random size",
    }[transform.train_crop]
    if transform.stretch and transform.train_crop in ("center", "random"):
        crop = "the whole frame"
    mirrored = f"mirrored in {100 * transform.flip_probability:g} % of the samples"
    colours = f"colours changed by up to {100 * transform.color_jitter:g} %" if transform.color_jitter else ""
    mirrored = mirrored if transform.flip_probability else "never mirrored"
    return ", ".join(filter(None, [crop, mirrored, colours, *_augmentation(transform)]))


def _augmentation(transform: TransformSettings) -> list[str]:
    smallest, largest = (f"{100 * factor:g}" for factor in transform.scale_range)
    slowest, fastest = transform.speed_range
    ops = _number(transform.rand_augment, "operation")
    return [
        f"turned by up to {transform.rotation_degrees:g} degrees" if transform.rotation_degrees else "",
        f"sheared by up to {transform.shear_degrees:g} degrees" if transform.shear_degrees else "",
        f"scaled to {smallest} to {largest} %" if transform.scale_range != (1.0, 1.0) else "",
        f"{ops} of RandAugment of magnitude {transform.rand_augment_magnitude}" if transform.rand_augment else "",
        f"played backwards in {100 * transform.reverse_probability:g} %" if transform.reverse_probability else "",
        f"at {slowest:g} to {fastest:g} times the speed" if transform.speed_range != (1.0, 1.0) else "",
        f"a box erased in {100 * transform.erasing_probability:g} %" if transform.erasing_probability else "",
    ]


def _apart(stride: int) -> str:
    return "neighbours" if stride == 1 else f"{stride} apart"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
