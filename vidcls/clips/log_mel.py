"""Sound -> log-mel spectrograms: how loud it is by pitch and time, as a picture that a 2D network takes."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from vidcls.video.sound import SAMPLE_RATE_HZ, Samples

# VGGish: Hershey et al.: CNN Architectures for Large-Scale Audio Classification, ICASSP 2017, and its published code.
NUM_BANDS = 64
LOWEST_HZ, HIGHEST_HZ = 125.0, 7500.0
WINDOW_LEN, HOP_LEN, FFT_LEN = 400, 160, 512  # samples: 25 ms, 10 ms, and the power of two that holds a window
LOG_OFFSET = 0.01
SILENCE = float(np.log(LOG_OFFSET))
"""The value of every band where nothing is heard."""
COLUMNS_PER_SECOND = SAMPLE_RATE_HZ // HOP_LEN


def num_columns(seconds: float) -> int:
    """N of a spectrogram that lasts so long."""
    return max(1, round(seconds * COLUMNS_PER_SECOND))


def span_of_columns(start_seconds: float, columns: int) -> tuple[float, float]:
    """From when to when the windows of columns reach, the first of which stands for 10 ms from ``start_seconds``.

    Column j is centred on the middle of its 10 ms, so that its window of 25 ms reaches 7.5 ms beyond either end.
    """
    reach = (WINDOW_LEN - HOP_LEN) / 2 / SAMPLE_RATE_HZ
    return start_seconds - reach, start_seconds + columns / COLUMNS_PER_SECOND + reach


def log_mel(samples: Samples) -> NDArray[np.float32]:
    """``log(mel + 0.01)`` of mono sound at 16 kHz, ``(64, N)`` float32, low bands first.

    The magnitudes of a short-time Fourier transform (Hann windows of 25 ms, 10 ms apart) are summed into 64 bands of
    equal width in mel from 125 to 7500 Hz, as in VGGish. N is the number of whole windows.

    Raises:
        ValueError: the sound is shorter than one window.
    """
    if len(samples) < WINDOW_LEN:
        raise ValueError(f"a spectrogram needs at least {WINDOW_LEN} samples, got {len(samples)}")
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_LEN)[::HOP_LEN]  # (N, 400)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW_LEN) / WINDOW_LEN)
    magnitudes = np.abs(np.fft.rfft(windows * hann, FFT_LEN))  # (N, 257)
    spectrogram: NDArray[np.float32] = np.log(magnitudes @ _bands() + LOG_OFFSET).T.astype(np.float32)
    return np.ascontiguousarray(spectrogram)  # (64, N)


def mel_of(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The mel scale of HTK, ``1127 ln(1 + f / 700)``."""
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


def band_of(hertz: float) -> int:
    """The band in whose middle a tone lies best."""
    return int(np.abs(_edges()[1:-1] - mel_of(hertz)).argmin())


def _edges() -> NDArray[np.float64]:
    """The lower edge, the middle and the upper edge of each band are three neighbours of these, in mel; ``(66,)``."""
    return np.linspace(mel_of(LOWEST_HZ), mel_of(HIGHEST_HZ), NUM_BANDS + 2)


@cache
def _bands() -> NDArray[np.float64]:
    """How much of each frequency is in each band, ``(257, 64)``: triangles in mel, 1 in the middle of a band."""
    mel = mel_of(np.linspace(0.0, SAMPLE_RATE_HZ / 2, FFT_LEN // 2 + 1))[:, None]  # (257, 1)
    lower, middle, upper = _edges()[:-2], _edges()[1:-1], _edges()[2:]
    weights: NDArray[np.float64] = np.maximum(
        0.0, np.minimum((mel - lower) / (middle - lower), (upper - mel) / (upper - middle))
    )
    weights[0] = 0.0  # a constant is no sound
    return weights
