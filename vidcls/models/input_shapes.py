"""What a model sees -> the shapes of its input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vidcls.clips.log_mel import NUM_BANDS, num_columns
from vidcls.clips.settings import DEFAULT_SOUND_SECONDS
from vidcls.types import ClipSettings, Stream


def input_shapes(
    streams: Sequence[Stream],
    clip: ClipSettings,
    size_px: int | Sequence[int],
    *,
    num_clips: int = 1,
    sound_seconds: float = DEFAULT_SOUND_SECONDS,
) -> list[tuple[int, ...]]:
    """The shape of each stream, RGB ``(B, 3, S*T, H, W)``, flow ``(B, 2, S*F, H, W)`` or sound ``(B, 1, S, M, N)``.

    Args:
        streams: what the model sees.
        clip: which frames and fields make a clip.
        size_px: side, or (height, width), of the pictures.
        num_clips: B.
        sound_seconds: how long the sound of a snippet lasts.
    """
    seen = (size_px, size_px) if isinstance(size_px, int) else size_px
    heard = (NUM_BANDS, num_columns(sound_seconds))
    return [
        (num_clips, stream.channels, stream.length(clip), *(heard if stream.kind == "audio" else seen))
        for stream in streams
    ]


def sound_seconds_of(input_settings: Mapping[str, object] | None) -> float:
    """How long the sound of a snippet lasts, by the settings of an input in plain types."""
    seconds = (input_settings or {}).get("audio_seconds")
    return float(seconds) if isinstance(seconds, int | float) else DEFAULT_SOUND_SECONDS
