"""An explanation -> small pictures that fit into a page: a still of the video, and its heat in motion."""

from __future__ import annotations

import base64
import io

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidcls.explain import Explanation
from vidcls.explain.laid_on import laid_on, scaled

HEIGHT_PX = 96
NUM_FRAMES = 8
FRAME_MILLISECONDS = 160
QUALITY = 55


def still_and_heat(explanation: Explanation) -> tuple[str, str]:
    """The middle frame, and the frames of the middle clip under their heat, as data addresses of WebP pictures.

    Of a model with several heats those on frames are shown, or, where all are of flow, these on the frames that the
    fields start from.
    """
    clip, heats = explanation.middle, scaled(explanation)[len(explanation.clips) // 2]
    title = next((name for name in heats if clip.streams[name].kind == "rgb"), next(iter(heats)))
    stream, heat = clip.streams[title], heats[title]
    frames = clip.pixels[stream.name] if stream.kind == "rgb" else explanation.beside[stream.name]
    chosen = np.linspace(0, len(heat) - 1, min(NUM_FRAMES, len(heat))).round().astype(int)
    shown = small(laid_on(frames, heat)[chosen])
    if len(shown) == 1:  # the frame and its heat alternately
        shown = torch.cat([small(frames[:1]), shown, shown])
    return webp(small(frames[len(frames) // 2][None])), webp(shown)


def small(frames: Tensor) -> Tensor:
    """Pictures ``(N, 3, H, W)`` uint8 at the height of a thumbnail."""
    H, W = frames.shape[-2:]
    size = (HEIGHT_PX, max(1, round(HEIGHT_PX * W / H)))
    enlarge = HEIGHT_PX > H
    resized = F.interpolate(frames.float(), size=size, mode="nearest" if enlarge else "area")
    return resized.round().clamp(0, 255).to(torch.uint8)


def webp(frames: Tensor) -> str:
    """A picture, or N of them in motion ``(N, 3, H, W)`` uint8, as a data address."""
    from PIL import Image

    images = [Image.fromarray(frame.permute(1, 2, 0).contiguous().numpy()) for frame in frames]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        format="WEBP",
        quality=QUALITY,
        save_all=len(images) > 1,
        append_images=images[1:],
        duration=FRAME_MILLISECONDS,
        loop=0,
    )
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
