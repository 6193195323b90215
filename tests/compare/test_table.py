"""One row a model: the numbers worked out by hand, and how they are written."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from vidcls.compare.cost import Cost
from vidcls.compare.results import by_model, found_runs
from vidcls.compare.spread import Spread
from vidcls.compare.table import ModelRow, as_csv, as_markdown, as_text, model_row, percent, short

MadeRun = Callable[..., Path]


@pytest.fixture
def row(made_run: MadeRun, tmp_path: Path, cost: Cost) -> ModelRow:
    """Two seeds: of three times left and once right, 3 of 4 and all 4 are recognised."""
    made_run("a", 0, ("left",) * 4, train_seconds=60.0)
    made_run("a", 1, ("left", "left", "left", "right"), train_seconds=90.0)
    models, _ = by_model(found_runs(tmp_path)[0])
    return model_row("a", models["a"], cost, batch_size=8)


def test_the_row_of_two_seeds_is_that_worked_out_by_hand(row: ModelRow) -> None:
    top1, by_class = row.metrics.values()
    assert (top1.mean, top1.std) == (pytest.approx(0.875), pytest.approx(0.125 * 2**0.5))
    assert by_class.mean == pytest.approx((0.5 + 1) / 2)
    assert (row.num_seeds, row.num_test_videos, row.views, row.epochs) == (2, 4, 1, 2)
    assert row.training_seconds == 75.0
    assert (row.latency_ms, row.training_peak_mib) == (pytest.approx(2.0), 3.0)
    assert row.inference_clips_per_second == pytest.approx(800)
    assert row.training_clips_per_second == pytest.approx(200)
    assert (row.streams, row.parameters, row.multiply_adds) == ("rgb", 33_496, 3_391_000)
    assert row.still_improving is False


def test_a_model_is_marked_where_half_of_its_runs_still_improved(made_run: MadeRun, tmp_path: Path) -> None:
    for seed, curve in enumerate([(0.2, 0.9), (0.2, 0.9), (0.5, 0.5), (0.5, 0.5)]):
        made_run("a", seed, ("left",) * 4, curve=curve)
    models, _ = by_model(found_runs(tmp_path)[0])
    assert model_row("a", models["a"], None, batch_size=8).still_improving is True
    without_one = {seed: runs for seed, runs in models["a"].items() if seed > 0}
    assert model_row("a", without_one, None, batch_size=8).still_improving is False


def test_the_csv_has_a_column_for_each_field_and_empty_cells_for_what_is_unknown(row: ModelRow) -> None:
    text = as_csv(
        [row, replace(row, model="b", metrics=dict.fromkeys(row.metrics, Spread(0.5, None)), latency_ms=None)]
    )
    first, second = csv.DictReader(StringIO(text))
    assert (first["model"], first["top1_mean"], first["top1_std"], first["latency_ms"]) == (
        "a",
        "0.875",
        "0.176777",
        "2",
    )
    assert (second["model"], second["top1_std"], second["latency_ms"]) == ("b", "", "")


def test_the_table_for_a_document_marks_and_explains(row: ModelRow) -> None:
    text = as_markdown([row, replace(row, model="b", still_improving=True)], ["made by hand"])
    lines = text.splitlines()
    assert lines[2] == (
        "| a | 87.5 ± 17.7 | 62.5 to 100.0 | 75.0 ± 35.4 | 75.0 to 100.0 | "
        "2 | rgb | 1 | 33.5 k | 3.39 M | 2 | 800 | 200 | 3 | 1.25 | 2 |"
    )
    assert lines[3].startswith("| b † |")
    assert {line.count("|") for line in lines[:4]} == {17}
    assert "† its budget ended while it still improved" in text
    assert text.endswith("made by hand  \n")
    assert "†" not in as_markdown([row], [])


def test_the_table_for_a_terminal_has_straight_columns(row: ModelRow) -> None:
    lines = as_text([row, replace(row, model="a_long_name")]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split()[:4] == ["a", "87.5", "±", "17.7"]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (None, "-"),
        (7, "7"),
        (0.37, "0.37"),
        (1_500, "1.5 k"),
        (999_600, "1000 k"),
        (11_176_512, "11.2 M"),
        (4e12, "4000 G"),
    ],
)
def test_counts_are_short(count: float | None, expected: str) -> None:
    assert short(count) == expected


def test_percentages_have_a_spread_only_where_there_is_one() -> None:
    assert (percent(0.8634, None), percent(0.8634, 0.0121)) == ("86.3", "86.3 ± 1.2")
