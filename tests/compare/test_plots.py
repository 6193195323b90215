"""The pictures are there, and their numbers beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import pytest

from vidcls.compare.plots import CurvePoint, curve_points, draw_accuracy_by_cost, draw_curves
from vidcls.compare.results import read_result
from vidcls.compare.spread import Spread
from vidcls.compare.table import ModelRow
from vidcls.figures import COLORS, LINES, line_style
from vidcls.runs.estimates import Interval
from vidcls.tasks.single_label import TOP1

MadeRun = Callable[..., Path]
ROW = ModelRow(
    "a", "A", "rgb", 2, 4, 1, {TOP1: Spread(0.8, 0.1)}, {"top1": Interval(0.7, 0.9)}, 1000, 2_000_000, 0.7,
    100.0, 50.0, 3.0, 60.0, 2.0, True
)  # fmt: skip


def test_a_curve_is_the_mean_over_the_runs_that_came_so_far(made_run: MadeRun) -> None:
    runs = [
        read_result(made_run("a", seed, ("left",) * 4, curve=curve))
        for seed, curve in enumerate([(0.2, 0.4, 0.9), (0.4, 0.8)])
    ]
    first, second, third = curve_points("a", runs)
    assert (first.epoch, first.num_runs, first.mean, first.std) == (1, 2, pytest.approx(0.3), pytest.approx(0.02**0.5))
    assert second.mean == pytest.approx(0.6)
    assert third == CurvePoint("a", 3, 1, 0.9, None)


def test_the_numbers_of_the_curves_stand_beside_the_picture(tmp_path: Path) -> None:
    points = {"a": [CurvePoint("a", 1, 2, 0.5, 0.25)], "b": [CurvePoint("b", 1, 1, 0.75, None)]}
    draw_curves(points, tmp_path / "curves.png", metric=TOP1, chance=0.5)
    assert (tmp_path / "curves.csv").read_text() == (
        "model,epoch,num_runs,val_top1_mean,val_top1_std\na,1,2,0.5,0.25\nb,1,1,0.75,\n"
    )
    assert matplotlib.image.imread(tmp_path / "curves.png").std() > 0.01


def test_accuracy_by_cost_is_drawn_also_where_a_cost_is_unknown(tmp_path: Path) -> None:
    from dataclasses import replace

    draw_accuracy_by_cost([ROW], tmp_path / "one.png", chance=0.5)
    rows = [ROW, replace(ROW, model="b", metrics={TOP1: Spread(0.8, None)}, multiply_adds=None, latency_ms=None)]
    draw_accuracy_by_cost(rows, tmp_path / "both.png", chance=0.5)
    one, both = ((tmp_path / name).read_bytes() for name in ("one.png", "both.png"))
    assert one == both  # a point without a cost has no place
    with_cost = [ROW, replace(ROW, model="b", multiply_adds=9_000_000)]
    draw_accuracy_by_cost(with_cost, tmp_path / "two.png", chance=0.5)
    assert (tmp_path / "two.png").read_bytes() != one


def test_no_two_of_thirty_two_models_look_alike() -> None:
    looks = [line_style(position) for position in range(len(COLORS) * len(LINES))]
    assert len({(color, line) for color, _, line in looks}) == 32
