"""Sound becomes the log-mel spectrogram of VGGish, whose columns stand for 10 ms each."""

from __future__ import annotations

import numpy as np
import pytest
from sound_files import click, tone

from vidcls.clips.log_mel import (
    NUM_BANDS,
    SILENCE,
    band_of,
    log_mel,
    num_columns,
    span_of_columns,
)
from vidcls.video.sound import SAMPLE_RATE_HZ

# Of a rising tone, .5 sin(2 pi (200 t + 1500 t^2)) in second 0 to 1, by transformers 5.24.0: audio_utils.spectrogram
# with mel_filter_bank(257, 64, 125, 7500, 16000, mel_scale="kaldi", triangularize_in_mel_space=True), the logarithm of
# its magnitudes and 0.01; by band and column.
REFERENCE = {
    (5, 0): 1.6031,
    (20, 30): 1.6365,
    (40, 60): -4.1322,
    (63, 97): -4.5953,
    (0, 10): -3.4723,
    (50, 80): -4.5285,
}


def test_it_equals_another_implementation() -> None:
    seconds = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    rising = 0.5 * np.sin(2 * np.pi * (200 * seconds + 1500 * seconds**2))
    found = log_mel(rising.astype(np.float32))
    assert found.shape == (NUM_BANDS, 98)
    assert found.dtype == np.float32
    for place, value in REFERENCE.items():
        assert found[place] == pytest.approx(value, abs=1e-4)


@pytest.mark.parametrize(
    ("hertz", "band"),
    # Middle k of 64 lies at mel(125) + (k + 1) (mel(7500) - mel(125)) / 65, mel(f) = 1127 ln(1 + f / 700): 185.2 and
    # 2774.3, so 39.83 mel apart. 440 Hz are 549.6 mel: (549.6 - 185.2) / 39.83 - 1 = 8.1; 1 kHz 1000.0: 19.5; 4 kHz
    # 2146.1: 48.2.
    [(440.0, (8,)), (1000.0, (19, 20)), (4000.0, (48,))],
)
def test_a_tone_is_loudest_in_the_band_of_the_mel_formula(hertz: float, band: tuple[int, ...]) -> None:
    found = log_mel(tone(hertz, seconds=0.5, rate_hz=SAMPLE_RATE_HZ))
    assert set(found.argmax(axis=0).tolist()) <= set(band)
    assert band_of(hertz) in band


def test_silence_has_one_value() -> None:
    np.testing.assert_allclose(log_mel(np.zeros(4_000, np.float32)), SILENCE, rtol=1e-6)


@pytest.mark.parametrize("seconds", [0.0005, 0.1049, 0.2345, 0.4995])
def test_a_click_lies_in_the_column_of_its_time(seconds: float) -> None:
    start, end = span_of_columns(0.0, 50)
    samples = click(at_seconds=seconds - start, seconds=end - start, rate_hz=SAMPLE_RATE_HZ)
    found = log_mel(samples)
    assert found.shape == (NUM_BANDS, 50)
    assert found.sum(axis=0).argmax() == int(100 * (seconds + 4 / SAMPLE_RATE_HZ))


def test_seconds_are_columns_of_ten_milliseconds() -> None:
    assert [num_columns(seconds) for seconds in (0.001, 0.64, 0.96, 2.0)] == [1, 64, 96, 200]


def test_sound_that_is_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 400 samples, got 399"):
        log_mel(np.zeros(399, np.float32))
