from __future__ import annotations

import pytest
import torch
from torch import nn

from vidcls.clips.settings import InputSettings
from vidcls.datasets import VideoFolder
from vidcls.loading.data_wait import DataWait, StepSpeed, step_speed
from vidcls.loading.loading_speed import loading_speed
from vidcls.loading.training_forecast import TrainingForecast
from vidcls.transforms import TransformSettings
from vidcls.types import as_streams

ON_GPU = StepSpeed(100.0, 8, 0)
ON_CPU = StepSpeed(100.0, 8, 2)


@pytest.mark.parametrize(
    ("loaded", "step", "workers", "cores", "rate"),
    [
        (10.0, ON_GPU, 2, 8, 20.0),  # two workers load for it
        (10.0, ON_GPU, 16, 8, 80.0),  # no more than there are cores
        (10.0, ON_GPU, 20, 32, 100.0),  # the network is the slower one
        (10.0, ON_GPU, 0, 8, 1 / (0.1 + 0.01)),  # loaded and trained on one after the other
        (10.0, ON_CPU, 2, 2, 2 / (0.1 + 0.02)),  # two cores for both
        (1000.0, ON_CPU, 2, 8, 100.0),
    ],
)
def test_the_rate_of_a_training_follows_from_loading_and_training_alone(
    loaded: float, step: StepSpeed, workers: int, cores: int, rate: float
) -> None:
    wait = DataWait(loaded, step, workers, cores)
    assert wait.clips_per_second == pytest.approx(rate)
    assert wait.share == pytest.approx(1 - rate / 100)
    assert wait.epoch_seconds(50) == pytest.approx(50 / rate)


def test_a_network_is_timed_and_stays_as_it_was() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.BatchNorm1d(6), nn.Dropout(0.5), nn.Linear(6, 3)).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    clips = {"rgb": torch.randn(4, 3, 1, 2, 2)}
    state = torch.random.get_rng_state()
    speed = step_speed(network, clips, device=torch.device("cpu"))
    assert speed.clips_per_second > 0
    assert (speed.batch_size, speed.num_threads) == (4, torch.get_num_threads())
    assert not network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_forecast_tells_both_trainings() -> None:
    forecast = TrainingForecast(10.0, 24, 100.0, 8, 0, 2, 40.0, 60.0, 5e7)
    assert forecast.wait.clips_per_second == 20.0
    assert forecast.copy_wait is not None
    assert forecast.copy_wait.clips_per_second == 80.0
    assert TrainingForecast(10.0, 24, 100.0, 8, 0, 2).copy_wait is None


def test_clips_of_one_video_that_is_opened_once_all_count(clip_dataset: VideoFolder) -> None:
    records = [record for record in clip_dataset.records if record.split == "val"]
    settings = InputSettings(streams=as_streams(["rgb"]), transform=TransformSettings(resize_px=None, crop_px=24))
    for num_repeats in (1, 3):
        speed = loading_speed(records, settings, None, num_repeats=num_repeats)
        assert speed is not None
        assert speed.num_clips == num_repeats * len(records)
