"""What a model sees -> the shapes of its input."""

from __future__ import annotations

from collections.abc import Sequence

from vidcls.types import ClipSettings, Stream


def input_shapes(
    streams: Sequence[Stream], clip: ClipSettings, size_px: int | Sequence[int], *, num_clips: int = 1
) -> list[tuple[int, ...]]:
    """The shape of each stream, RGB ``(B, 3, S*T, H, W)`` or flow ``(B, 2, S*F, H, W)``, for B clips.

    Args:
        streams: what the model sees.
        clip: which frames and fields make a clip.
        size_px: side, or (height, width), of the pictures.
        num_clips: B.
    """
    height, width = (size_px, size_px) if isinstance(size_px, int) else size_px
    return [(num_clips, stream.channels, stream.length(clip), height, width) for stream in streams]
