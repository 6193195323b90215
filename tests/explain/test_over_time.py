from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vidcls.explain import TimeEffects, time_effects
from vidcls.explain.over_time import NUM_SHUFFLES
from vidcls.explain.time_picture import write_time_effects
from vidcls.models import SingleFrame, TwoStream
from vidcls.types import ClipSettings


class Step(SingleFrame):
    """Says `up` for a clip whose last frame is brighter than its first."""

    def forward(self, rgb: Tensor) -> Tensor:
        rise = (rgb[:, :, -1] - rgb[:, :, 0]).mean(dim=(1, 2, 3))
        return torch.stack([rise, -rise], dim=1)


def clip(values: list[float]) -> Tensor:
    return torch.tensor(values).view(1, 1, -1, 1, 1).expand(-1, 3, -1, 8, 8)


def step_model(num_frames: int) -> Step:
    return Step(class_names=["up", "down"], clip=ClipSettings(clip_len=num_frames), backbone="small").eval()


def test_hiding_a_part_puts_its_neighbour_in_its_place() -> None:
    effects = time_effects(step_model(4), [clip([0.0, 0.0, 0.0, 2.0])], 0)
    expected_whole = float(torch.tensor([2.0, -2.0]).softmax(0)[0])
    assert abs(effects.whole - expected_whole) < 1e-6
    assert [round(value, 3) for value in effects.hidden] == [*[round(expected_whole, 3)] * 3, 0.5]


def test_reversing_turns_the_answer_of_a_model_that_sees_order() -> None:
    effects = time_effects(step_model(3), [clip([0.0, 1.0, 2.0])], 0)
    assert abs(effects.reversed - (1 - effects.whole)) < 1e-6
    assert len(effects.shuffled) == NUM_SHUFFLES
    assert min(effects.shuffled) < 0.5 < max(effects.shuffled)


def test_no_shuffle_of_a_clip_of_two_frames_leaves_it_as_it_is() -> None:
    effects = time_effects(step_model(2), [clip([0.0, 2.0])], 0)
    assert effects.shuffled == (pytest.approx(effects.reversed),) * NUM_SHUFFLES
    assert effects.reversed < 0.1 < 0.9 < effects.whole


def test_order_is_nothing_to_a_model_that_cannot_see_it() -> None:
    torch.manual_seed(0)
    model = SingleFrame(class_names=["a", "b"], clip=ClipSettings(clip_len=4), backbone="small").eval()
    effects = time_effects(model, [torch.randn(1, 3, 4, 24, 24)], 0)
    assert all(abs(value - effects.whole) < 1e-5 for value in (effects.reversed, *effects.shuffled))


def test_flow_played_backwards_points_the_other_way() -> None:
    torch.manual_seed(0)
    clips = ClipSettings(clip_len=1, flow_len=2)
    model = TwoStream(class_names=["a", "b"], clip=clips, spatial="small", temporal="small").eval()
    rgb, flow = torch.randn(1, 3, 1, 24, 24), torch.randn(1, 2, 2, 24, 24)
    expected = model(rgb, -flow.flip(2)).softmax(-1)[0, 1]
    effects = time_effects(model, [rgb, flow], 1)
    assert abs(effects.reversed - float(expected.detach())) < 1e-6
    assert len(effects.hidden) == 2


def test_parts_may_be_fewer_than_frames() -> None:
    effects = time_effects(step_model(6), [clip([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])], 0, num_parts=2)
    assert [round(value, 4) for value in effects.hidden] == [0.5, 0.5]


def test_the_plot_has_its_numbers_beside_it(tmp_path: Path) -> None:
    effects = TimeEffects(0.9, (0.8, 0.7), 0.1, (0.3, 0.4))
    files = write_time_effects(effects, "wave", tmp_path / "time.png")
    with files[1].open(newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    assert rows == [
        ("whole", "", "0.900000"),
        ("hidden", "1", "0.800000"),
        ("hidden", "2", "0.700000"),
        ("reversed", "", "0.100000"),
        ("shuffled", "1", "0.300000"),
        ("shuffled", "2", "0.400000"),
    ]
    assert files[0].stat().st_size > 5000
