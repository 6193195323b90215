"""Videos with what ``write_video`` does not offer: rotation tags, variable rates, any codec."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from torch import Tensor


def encode(
    path: Path,
    frames: Tensor,
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    pts: list[int] | None = None,
    clock: Fraction = Fraction(1, 25),
    rotation: int = 0,
    container_format: str | None = None,
) -> None:
    """Encode with settings that ``write_video`` does not offer."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format=container_format) as container:
        stream = container.add_stream(codec, rate=25, options={"threads": "1"} | (options or {}))
        stream.width, stream.height, stream.pix_fmt = frames.shape[3], frames.shape[2], "yuv420p"
        stream.codec_context.time_base = clock
        if rotation:
            if not hasattr(stream, "set_display_rotation"):
                pytest.skip("this PyAV cannot write rotation tags")
            stream.set_display_rotation(rotation)
        for t, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(rgb.permute(1, 2, 0).contiguous().numpy(), format="rgb24")
            frame.pts, frame.time_base = (t if pts is None else pts[t]), clock
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
