"""A clip of moving shapes that has sound -> its tone: high or low, which neither a frame nor the motion tells.

Every scene is filmed with both tones in each of the eight classes of colour and motion. What a network can reach, as
top-1 accuracy over the sixteen classes::

    frame 1/8    flow 1/4    sound 1/8    frame + flow 1/2    frame + sound 1/4    flow + sound 1/2    all three 1
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vidcls.types import SPLITS, VideoRecord

if TYPE_CHECKING:
    from vidcls.video.writer import Sound

PITCHES: dict[str, float] = {"high": 2000.0, "low": 500.0}
"""Hertz, of which a clip is off by up to a fifth of an octave."""
RATE_HZ = 16_000
_MOST_OCTAVES = 0.2
_LOUDNESS = (0.1, 0.5)


def tone_of(record: VideoRecord, *, seconds: float, seed: int) -> Sound:
    """A tone of the pitch in the record's label, whose exact pitch, loudness and phase are those of its scene.

    Args:
        record: of a clip, with a label such as ``red_left_high``.
        seconds: how long it lasts.
        seed: of everything random.
    """
    from vidcls.video.writer import Sound

    rng = np.random.default_rng((seed, SPLITS.index(record.split), int(record.path.stem), 1))
    octaves, loudness, phase = rng.uniform(-_MOST_OCTAVES, _MOST_OCTAVES), rng.uniform(*_LOUDNESS), rng.uniform(0, 1)
    hertz = PITCHES[record.label.rpartition("_")[2]] * 2**octaves
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return Sound((loudness * np.sin(2 * np.pi * (hertz * at + phase))).astype(np.float32), RATE_HZ)
