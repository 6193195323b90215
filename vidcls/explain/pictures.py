"""An explanation -> its heat laid on the frames: a video, a row of frames, and the numbers behind both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidcls.explain.explainer import ClipHeat, Explanation
from vidcls.figures import save_png
from vidcls.files import atomic_write, write_arrays
from vidcls.flow.pictures import direction_picture
from vidcls.outputs import named_output
from vidcls.types import sees
from vidcls.video import Video, write_video
from vidcls.video.in_order import open_in_order, shared
from vidcls.video.source import AnyVideo
from vidcls.video.writer import DEFAULT_FPS

FILM_SUFFIXES = (".mp4", ".mov", ".mkv", ".gif")
STRIP_SUFFIXES = (".png",)
NUM_IN_STRIP = 8
HEAT_SHARE = 0.5  # how much of the picture full heat covers
_LEAST_BOUND_PX = 1.0  # flow pictures: a still scene does not become coloured noise


def write_heat(explanation: Explanation, output: Path, video: Video | AnyVideo | None = None) -> list[Path]:
    """Write a video (``.mp4``, ``.mov``, ``.mkv``, ``.gif``) or a row of frames (``.png``), and its numbers (``.npz``).

    A video has all frames of the original, one panel for each heat; between the frames that the network saw, and
    between clips, the heat is that of the nearest ones. Flow heat is shown on the frame and on the flow.

    Args:
        explanation: of a video.
        output: the video or the row of frames.
        video: the original where it is open; None opens it.

    Returns:
        the files that were written.

    Raises:
        VidclsError: a file cannot be written; nothing half-written is left.
        DecodeError: a frame of the video cannot be read.
    """
    numbers = output.with_suffix(".npz")
    with named_output(output):
        if output.suffix.lower() in STRIP_SUFFIXES:
            _write_strip(explanation, output)
        elif output.suffix.lower() == ".gif":
            _write_gif(explanation, output, video)
        else:
            write_video(output, _film(explanation, video), fps=explanation.fps or DEFAULT_FPS)
        write_arrays(numbers, heat_arrays(explanation))
    return [output, numbers]


def heat_colours(heat: Tensor) -> Tensor:
    """Heat ``(..., H, W)`` from 0 to 1 -> colours ``(..., 3, H, W)`` uint8 of matplotlib's inferno."""
    from matplotlib import colormaps

    table = torch.tensor(np.asarray(colormaps["inferno"](np.arange(256)))[:, :3] * 255).round().to(torch.uint8)
    return table[(heat.clamp(0, 1) * 255).round().long()].movedim(-1, -3)


def laid_on(frames: Tensor, heat: Tensor) -> Tensor:
    """Frames ``(..., 3, H, W)`` uint8 under heat ``(..., H, W)`` from 0 to 1; where it is cold, the frame stays."""
    share = (HEAT_SHARE * heat.clamp(0, 1))[..., None, :, :]
    return (frames * (1 - share) + heat_colours(heat) * share).round().clamp(0, 255).to(torch.uint8)


def scaled(explanation: Explanation) -> list[dict[str, Tensor]]:
    """The heat of every clip by title, divided by the greatest of its title in the whole video."""
    most = {title: max(float(clip.heats[title].max()) for clip in explanation.clips) for title in explanation.titles}
    return [
        {title: heat / most[title] if most[title] > 0 else heat for title, heat in clip.heats.items()}
        for clip in explanation.clips
    ]


def flow_pictures(clip: ClipHeat, title: str, bound_px: float) -> Tensor:
    """The fields that a heat belongs to as colours of direction ``(F, 3, H, W)`` uint8."""
    fields = clip.pixels[clip.streams[title].name]
    return torch.stack([direction_picture(field, bound_px=bound_px) for field in fields])


def flow_bound_px(explanation: Explanation) -> float:
    """The length of the longest vectors, but for the 1 % longest, that the flow pictures are scaled to."""
    names = dict.fromkeys(s.name for s in explanation.clips[0].streams.values() if s.kind == "flow")
    values = torch.cat([clip.pixels[name].norm(dim=1).flatten() for name in names for clip in explanation.clips])
    return max(_LEAST_BOUND_PX, float(np.quantile(values.numpy(), 0.99)))


def on_whole_frame(explanation: Explanation, heat: Tensor, size: tuple[int, int]) -> Tensor:
    """Heat of the network's picture ``(H, W)`` -> that of the frame of ``size``, 0 where it did not look."""
    box = explanation.box
    top, left = round(box.top), round(box.left)
    high = max(1, min(round(box.height), size[0] - top))
    wide = max(1, min(round(box.width), size[1] - left))
    part = F.interpolate(heat[None, None], size=(high, wide), mode="bilinear", align_corners=False)[0, 0]
    whole = torch.zeros(size)
    whole[top : top + high, left : left + wide] = part
    return whole


def heat_by_frame(explanation: Explanation, title: str) -> Iterator[tuple[Tensor, int, int]]:
    """For every frame of the video its heat ``(H, W)``, and the clip and the step in it that are nearest."""
    heats = scaled(explanation)
    places = sorted(
        (frame, number, step)
        for number, clip in enumerate(explanation.clips)
        for step, frame in enumerate(clip.frames[clip.streams[title].name])
    )
    frames = np.array([place[0] for place in places])
    for index in range(explanation.num_frames):
        after = int(np.searchsorted(frames, index))
        if after == 0 or after == len(places):
            _, number, step = places[min(after, len(places) - 1)]
            yield heats[number][title][step], number, step
            continue
        (first, *before), (last, *behind) = places[after - 1], places[after]
        share = (index - first) / (last - first)
        _, number, step = places[after - 1] if share < 0.5 else places[after]
        mixed = heats[before[0]][title][before[1]] * (1 - share) + heats[behind[0]][title][behind[1]] * share
        yield mixed, number, step


def _film(explanation: Explanation, source: Video | AnyVideo | None) -> Iterator[Tensor]:
    """Frames ``(3, H, n*W)``: the video as it is, then each heat on it; flow heat on the flow as well."""
    by_title = {title: heat_by_frame(explanation, title) for title in explanation.titles}
    streams = explanation.clips[0].streams
    flows: dict[str, tuple[int, Tensor]] = {}  # by title the clip and its pictures
    bound = flow_bound_px(explanation) if sees(streams.values(), "flow") else 0.0
    with shared(source or explanation.video, lambda closed: open_in_order(closed, explanation.decoder)) as video:
        for index in range(explanation.num_frames):
            frame = video.frames([index])[0]
            size = (frame.shape[1], frame.shape[2])
            panels = [frame]
            for title, heats in by_title.items():
                heat, number, step = next(heats)
                heat = on_whole_frame(explanation, heat, size)
                panels.append(laid_on(frame, heat))
                if streams[title].kind == "flow":
                    if title not in flows or flows[title][0] != number:
                        flows[title] = number, flow_pictures(explanation.clips[number], title, bound)
                    panels.append(laid_on(_picture_on_whole_frame(explanation, flows[title][1][step], size), heat))
            yield _even(torch.cat(panels, dim=2))


def _picture_on_whole_frame(explanation: Explanation, picture: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture ``(3, h, w)`` of what the network sees, in its place on white."""
    planes = [on_whole_frame(explanation, 255.0 - plane.float(), size) for plane in picture]
    return (255.0 - torch.stack(planes)).round().to(torch.uint8)


def _even(picture: Tensor) -> Tensor:
    """Height and width made even by dropping a line, as players want it."""
    H, W = picture.shape[1:]
    return picture[:, : H - H % 2 or 1, : W - W % 2 or 1]


def _write_gif(explanation: Explanation, output: Path, video: Video | AnyVideo | None) -> None:
    from PIL import Image

    fps = explanation.fps or DEFAULT_FPS
    every = max(1, round(fps / 12.5))  # browsers show no gif faster than this evenly
    frames = [f.permute(1, 2, 0).numpy() for k, f in enumerate(_film(explanation, video)) if k % every == 0]
    images = [Image.fromarray(frame) for frame in frames]
    with atomic_write(output) as path:
        images[0].save(
            path, save_all=True, append_images=images[1:], duration=round(1000 * every / fps), loop=0, format="GIF"
        )


def _write_strip(explanation: Explanation, output: Path) -> None:
    """Frames of the middle clip as the network sees them, and each heat on them, as rows with titles."""
    from matplotlib.figure import Figure

    number = len(explanation.clips) // 2
    clip, heats = explanation.clips[number], scaled(explanation)[number]
    rows: list[tuple[str, Tensor, tuple[int, ...]]] = []
    if clip.shown is not None:
        rows.append(("frames", clip.pixels[clip.shown], clip.frames[clip.shown]))
    for title, heat in heats.items():
        stream = clip.streams[title]
        frames = clip.frames[stream.name]
        if stream.kind == "flow":
            pictures = flow_pictures(clip, title, flow_bound_px(explanation))
            rows.append((f"{title}, on flow", laid_on(pictures, heat), frames))
            if clip.shown is None:
                continue
            distance = np.abs(np.array(clip.frames[clip.shown])[None] - np.array(frames)[:, None])
            nearest = distance.argmin(axis=1)
            rows.append((f"{title}, on the frame", laid_on(clip.pixels[clip.shown][nearest], heat), frames))
        else:
            rows.append((title, laid_on(clip.pixels[stream.name], heat), frames))
    columns = min(NUM_IN_STRIP, max(len(pictures) for _, pictures, _ in rows))
    H, W = rows[0][1].shape[-2:]
    figure = Figure(figsize=(1.5 * columns + 0.6, (1.5 * H / W + 0.25) * len(rows) + 0.5), layout="constrained")
    for axes_of_row, (title, pictures, frames) in zip(
        figure.subplots(len(rows), columns, squeeze=False), rows, strict=True
    ):
        chosen = np.linspace(0, len(pictures) - 1, min(columns, len(pictures))).round().astype(int)
        for axes in axes_of_row:
            axes.axis("off")
        for axes, k in zip(axes_of_row, chosen, strict=False):
            axes.imshow(pictures[k].permute(1, 2, 0).numpy(), interpolation="nearest")
            axes.set_title(f"{frames[k]}", fontsize=7, pad=2)
        axes_of_row[0].text(
            -0.04, 0.5, title, transform=axes_of_row[0].transAxes, rotation=90, ha="right", va="center", fontsize=8
        )
    figure.suptitle(
        f"{explanation.class_name} {explanation.score:.2f} ({explanation.method}; predicted: "
        f"{explanation.prediction.label})",
        fontsize=10,
    )
    save_png(figure, output, dpi=130)


def heat_arrays(explanation: Explanation) -> dict[str, np.ndarray]:
    """Heat by title and clip, the frames that it belongs to, scores and class names."""
    found: dict[str, np.ndarray] = {
        "class_names": np.array(explanation.prediction.class_names),
        "scores": np.array(explanation.prediction.scores),
        "class_name": np.array(explanation.class_name),
        "box": np.array(explanation.box),  # top, left, height, width in the frame
    }
    for number, clip in enumerate(explanation.clips):
        for title, heat in clip.heats.items():
            found[f"{title}_{number}"] = heat.numpy()
            found[f"{title}_{number}_frames"] = np.array(clip.frames[clip.streams[title].name])
    return found
