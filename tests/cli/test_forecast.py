from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls.cli import forecast
from vidcls.cli.forecast import forecast_lines
from vidcls.loading.training_forecast import TrainingForecast

Command = Callable[..., object]


def test_a_reader_is_told_how_long_a_training_waits_and_what_changes_it() -> None:
    found = TrainingForecast(10.0, 24, 200.0, 8, 0, 2, 80.0, 180.0, 75e6)
    lines = forecast_lines(
        found, name="--config two_stream", device="cuda", num_clips=600, command="vidcls data prepare x"
    )
    assert lines == [
        "with --config two_stream a training from these files will wait for data about 90 % of its time: an epoch of "
        "600 clips takes about 30 s",
        "measured on this machine: 2 loader workers load about 20 clips/s, the network trains "
        "on 200 (cuda, batches of 8)",
        "from a small copy an epoch takes about 4 s; making it takes about 3 min and 75 MB:",
        "  vidcls data prepare x",
        "or let fit make it: add --data.prepare auto",
    ]
    fast = TrainingForecast(500.0, 24, 200.0, 8, 0, 2)
    lines = forecast_lines(fast, name="two_stream", device="cpu", num_clips=600, command="")
    assert lines[0] == "with two_stream loading keeps up: an epoch of 600 clips takes about 3 s"


def test_the_command_can_be_pasted_and_is_measured_once(
    vidcls: Command, clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    def noted(found: TrainingForecast, **words: object) -> list[str]:
        shown.append(str(words["command"]))
        return [f"a forecast of {found.batch_size}"]

    monkeypatch.setattr(forecast, "forecast_lines", noted)
    words = (
        "data",
        "check",
        clip_folder,
        "--num_workers",
        1,
        "--cache",
        "cache",
        "--data.dataset.seed",
        3,
        "--data.flow_len",
        10,
    )
    assert "a forecast of 32" in vidcls(*words).out
    monkeypatch.setattr("vidcls.loading.training_forecast.expected_wait", lambda *_, **__: pytest.fail("known"))
    assert "a forecast of 32" in vidcls(*words).out
    command = shown[0].split()
    assert shown[1] == shown[0]
    assert command[:3] == ["vidcls", "data", "prepare"]
    assert "--with_flow" in command
    done = vidcls(*command[1:], "--num_workers", 1)
    assert done.status == 0, done
    assert (tmp_path / command[4] / "clips.csv").is_file()
