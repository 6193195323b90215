"""An explanation -> its heat laid on the frames: a video, a row of frames, and the numbers behind both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidcls.explain.explainer import Explanation
from vidcls.explain.laid_on import flow_bound_px, flow_pictures, laid_on, scaled
from vidcls.explain.strip import write_strip
from vidcls.files import atomic_write, write_arrays
from vidcls.outputs import named_output
from vidcls.types import sees
from vidcls.video import Video, write_video
from vidcls.video.captions import named_panels
from vidcls.video.in_order import open_in_order, shared
from vidcls.video.slow_motion import shown_fps
from vidcls.video.source import AnyVideo
from vidcls.video.writer import DEFAULT_FPS

FILM_SUFFIXES = (".mp4", ".mov", ".mkv", ".gif")
STRIP_SUFFIXES = (".png",)
HELD_SECONDS = 0.5


def write_heat(explanation: Explanation, output: Path, video: Video | AnyVideo | None = None) -> list[Path]:
    """Write a video (``.mp4``, ``.mov``, ``.mkv``, ``.gif``) or a row of frames (``.png``), and its numbers (``.npz``).

    A video has all frames of the original, slowed down to last three seconds where it is shorter, and
    one named panel of at least 128 pixels for each heat. Frames that the
    network did not see have no heat; between those of one snippet it is mixed from both. Flow heat is shown on the
    frame and on the flow.

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
            write_strip(explanation, output)
        elif output.suffix.lower() == ".gif":
            _write_gif(explanation, output, video)
        else:
            write_video(output, _film(explanation, video), fps=film_fps(explanation))
        write_arrays(numbers, heat_arrays(explanation))
    return [output, numbers]


def film_fps(explanation: Explanation) -> float:
    """Frames per second of the video of heat: those of the original, fewer where it is short."""
    return shown_fps(explanation.num_frames, explanation.fps or DEFAULT_FPS)


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


def heat_by_frame(explanation: Explanation, title: str) -> Iterator[tuple[Tensor, int, int] | None]:
    """For every frame of the video its heat ``(H, W)``, and the clip and the step in it that are nearest.

    None for a frame that the network saw nothing of: one before, behind or between the snippets of its clips. Between
    the frames that a snippet is made of the heat is mixed from both.
    """
    heats = scaled(explanation)
    places: list[tuple[int, int, int]] = []
    is_seen = np.zeros(explanation.num_frames, dtype=bool)
    for number, clip in enumerate(explanation.clips):
        frames = clip.frames[clip.streams[title].name]
        places += [(frame, number, step) for step, frame in enumerate(frames)]
        for first, last in _spans(frames, explanation.num_snippets):
            is_seen[first : last + 1] = True
    places.sort()
    starts = np.array([place[0] for place in places])
    for index in range(explanation.num_frames):
        if not is_seen[index]:
            yield None
            continue
        after = int(np.searchsorted(starts, index))
        if places[after][0] == index:
            _, number, step = places[after]
            yield heats[number][title][step], number, step
            continue
        (first, *before), (last, *behind) = places[after - 1], places[after]
        share = (index - first) / (last - first)
        _, number, step = places[after - 1] if share < 0.5 else places[after]
        mixed = heats[before[0]][title][before[1]] * (1 - share) + heats[behind[0]][title][behind[1]] * share
        yield mixed, number, step


def _spans(frames: Sequence[int], num_snippets: int) -> list[tuple[int, int]]:
    """The first and the last frame of each snippet of a clip."""
    num = num_snippets if len(frames) % num_snippets == 0 else 1
    length = len(frames) // num
    snippets = [frames[k * length : (k + 1) * length] for k in range(num)]
    return [(min(snippet), max(snippet)) for snippet in snippets]


def _film(explanation: Explanation, source: Video | AnyVideo | None) -> Iterator[Tensor]:
    """Frames ``(3, h, w)``: the video as it is, then each heat on it; flow heat on the flow as well.

    A frame that is the only one with heat far and wide stays for half a second, or nobody would see it.
    """
    by_title = {title: list(heat_by_frame(explanation, title)) for title in explanation.titles}
    streams = explanation.clips[0].streams
    flows: dict[str, tuple[int, Tensor]] = {}  # by title the clip and its pictures
    bound = flow_bound_px(explanation) if sees(streams.values(), "flow") else 0.0
    held = max(1, round(HELD_SECONDS * film_fps(explanation)))
    with shared(source or explanation.video, lambda closed: open_in_order(closed, explanation.decoder)) as video:
        for index in range(explanation.num_frames):
            frame = video.frames([index])[0]
            size = (frame.shape[1], frame.shape[2])
            panels: list[tuple[tuple[str, str], Tensor]] = [(("video", f"frame {index}"), frame)]
            for title, heats in by_title.items():
                found, is_flow = heats[index], streams[title].kind == "flow"
                heat = torch.zeros(size) if found is None else on_whole_frame(explanation, found[0], size)
                state = "not seen" if found is None else "seen"
                name = f"{title}, on the frame" if is_flow else title
                panels.append(((name, f"frame {index}: {state}"), laid_on(frame, heat)))
                if not is_flow:
                    continue
                flow = torch.full_like(frame, 255)
                if found is not None:
                    _, number, step = found
                    if title not in flows or flows[title][0] != number:
                        flows[title] = number, flow_pictures(explanation.clips[number], title, bound)
                    flow = laid_on(_picture_on_whole_frame(explanation, flows[title][1][step], size), heat)
                panels.append(((f"{title}, on the flow", f"from frame {index}: {state}"), flow))
            shown = named_panels(panels)
            yield from [shown] * (held if any(_is_alone(heats, index) for heats in by_title.values()) else 1)


def _is_alone(heats: Sequence[object | None], index: int) -> bool:
    """Whether a frame has heat and its neighbours have none."""
    around = [heats[k] for k in (index - 1, index + 1) if 0 <= k < len(heats)]
    return heats[index] is not None and bool(around) and all(heat is None for heat in around)


def _picture_on_whole_frame(explanation: Explanation, picture: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture ``(3, h, w)`` of what the network sees, in its place on white."""
    planes = [on_whole_frame(explanation, 255.0 - plane.float(), size) for plane in picture]
    return (255.0 - torch.stack(planes)).round().to(torch.uint8)


def _write_gif(explanation: Explanation, output: Path, video: Video | AnyVideo | None) -> None:
    from PIL import Image

    fps = film_fps(explanation)
    every = max(1, round(fps / 12.5))  # browsers show no gif faster than this evenly
    frames = [f.permute(1, 2, 0).numpy() for k, f in enumerate(_film(explanation, video)) if k % every == 0]
    images = [Image.fromarray(frame) for frame in frames]
    with atomic_write(output) as path:
        images[0].save(
            path, save_all=True, append_images=images[1:], duration=round(1000 * every / fps), loop=0, format="GIF"
        )


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
