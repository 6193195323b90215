"""Costs are measured alternately, once, and on one machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls.compare.cost import Cost, CostRequest
from vidcls.compare.measured import COSTS_FILE, measured_costs, request_for
from vidcls.compare.results import RunResult, read_result
from vidcls.errors import CheckpointError

MadeRun = Callable[..., Path]


@pytest.fixture
def runs(made_run: MadeRun) -> dict[str, RunResult]:
    return {name: read_result(made_run(name, 0, ("left",) * 4)) for name in ("a", "b")}


class Measured:
    """Stands for the measurement: notes whose turn it was."""

    def __init__(self, cost: Cost, fails: str = "") -> None:
        self.cost, self.fails = cost, fails
        self.turns: list[str] = []

    def __call__(self, request: CostRequest) -> Cost:
        name = Path(request.checkpoint).parents[2].name
        self.turns.append(name)
        if name == self.fails:
            raise CheckpointError("no memory left")
        return self.cost


def measured(
    folder: Path, runs: dict[str, RunResult], by: Measured, batch_size: int = 8
) -> tuple[dict[str, Cost], list[str]]:
    requests = {name: request_for(run, None, batch_size) for name, run in runs.items()}
    costs, _, failures = measured_costs(folder, runs, requests, by, lambda _: None)
    return costs, failures


def test_models_are_measured_by_turns_and_kept(runs: dict[str, RunResult], cost: Cost, tmp_path: Path) -> None:
    first, again = Measured(cost), Measured(cost)
    costs, _ = measured(tmp_path, runs, first)
    assert first.turns == ["a", "b", "a", "b"]
    assert costs["a"].latency_seconds == cost.latency_seconds * 2
    assert measured(tmp_path, runs, again) == (costs, [])
    assert again.turns == []


def test_a_new_model_or_another_batch_is_measured(runs: dict[str, RunResult], cost: Cost, tmp_path: Path) -> None:
    measured(tmp_path, {"a": runs["a"]}, Measured(cost))
    added, larger = Measured(cost), Measured(cost)
    measured(tmp_path, runs, added)
    assert added.turns == ["b", "b"]
    measured(tmp_path, runs, larger, batch_size=16)
    assert larger.turns == ["a", "b", "a", "b"]


def test_on_another_machine_all_are_measured_again_or_none(
    runs: dict[str, RunResult], cost: Cost, tmp_path: Path
) -> None:
    measured(tmp_path, {"a": runs["a"]}, Measured(cost))
    content = json.loads((tmp_path / COSTS_FILE).read_text())
    content["machine"]["cpu"] = "another"
    (tmp_path / COSTS_FILE).write_text(json.dumps(content))
    same, added = Measured(cost), Measured(cost)
    measured(tmp_path, {"a": runs["a"]}, same)
    assert same.turns == []
    measured(tmp_path, runs, added)
    assert added.turns == ["a", "b", "a", "b"]


def test_what_cannot_be_measured_is_said_once_and_loses_no_other(
    runs: dict[str, RunResult], cost: Cost, tmp_path: Path
) -> None:
    by = Measured(cost, fails="a")
    costs, failures = measured(tmp_path, runs, by)
    assert by.turns == ["a", "b", "b"]
    assert list(costs) == ["b"]
    assert failures == ["a: its cost could not be measured: no memory left"]


def test_a_model_is_measured_where_and_as_it_was_trained(made_run: MadeRun) -> None:
    run = read_result(made_run("c", 0, ("left",) * 4, trainer={"accelerator": "gpu", "precision": "bf16-mixed"}))
    request = request_for(run, None, 8)
    assert (request.device, request.precision) == ("cuda", "bf16-mixed")
    assert request_for(run, "cpu", 8).device == "cpu"
