"""A checkpoint and an uploaded video -> the video with the heat of a class on it; the work of a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vidcls.serve.limits import Limits
from vidcls.serve.reading import check_size
from vidcls.video.source import VideoSource

if TYPE_CHECKING:
    from vidcls.explain import Explainer

_kept: dict[tuple[Path, str], Explainer] = {}  # of this process


def write_heat_video(
    checkpoint: Path,
    device: Literal["auto", "cpu", "cuda"],
    source: VideoSource,
    class_name: str | None,
    output: Path,
    limits: Limits,
) -> None:
    """Write the video of heat; for two streams one panel for each, and the flow under the heat of its stream.

    Args:
        checkpoint: the model, which the process keeps.
        device: where it runs.
        source: the video.
        class_name: what the heat speaks for; the most probable class where None.
        output: an ``.mp4`` file.
        limits: what is accepted.

    Raises:
        Refusal: the video is beyond a limit.
        VidclsError: it cannot be read, or the model knows no such class.
    """
    from vidcls.explain.pictures import write_heat

    explainer = _explainer(checkpoint, device)
    check_size(source, explainer.predictor.input_settings, limits)
    with explainer.open(source) as video:
        write_heat(explainer(video, class_name=class_name), output, video)


def _explainer(checkpoint: Path, device: Literal["auto", "cpu", "cuda"]) -> Explainer:
    from vidcls.explain import Explainer

    if (checkpoint, device) not in _kept:
        _kept[checkpoint, device] = Explainer(checkpoint, device=device)
    return _kept[checkpoint, device]
