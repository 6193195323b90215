"""A video that is taken for one of no class: what is answered, printed and written, and by which models."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from vidcls.clips.settings import InputSettings
from vidcls.errors import ConfigurationError
from vidcls.live.lines import json_line, text_line
from vidcls.predict.clip_scorer import ClipScorer, Scores
from vidcls.predict.output import PredictionFile, table_line
from vidcls.tasks import SingleLabel
from vidcls.tasks.decision import Decision


class Fixed(ClipScorer[tuple[float, float]]):
    """Gives each video the probabilities that stand in place of its clip."""

    device_text = "nowhere"

    def __init__(self, decision: Decision, class_names: Sequence[str] = ("walk", "wave")) -> None:
        settings = InputSettings(("rgb",))  # type: ignore[arg-type]
        super().__init__(Path("m.ckpt"), SingleLabel(class_names), settings, decision, cast(Any, None))

    def _scores_of(self, clips: Sequence[tuple[float, float]]) -> Scores:
        return {"model": clips[0]}


def test_below_the_threshold_the_answer_is_unknown_and_the_scores_stay(tmp_path: Path) -> None:
    scorer = Fixed(Decision(unknown_below=0.7))
    assert scorer.prediction_of("a.mp4", [(0.6, 0.4)]).label == "walk"  # where nobody asks for it
    scorer.say_unknown()
    sure, unsure = (scorer.prediction_of("a.mp4", [(p, 1 - p)]) for p in (0.75, 0.625))
    assert (sure.label, sure.caption, sure.is_unknown) == ("walk", "walk 0.75", False)
    assert (unsure.label, unsure.caption, unsure.is_unknown) == ("unknown", "unknown", True)
    assert unsure.top(1) == [("walk", 0.625)]
    lines = [table_line(each, top_k=1, path_width=5, with_time=False) for each in (sure, unsure)]
    assert lines == ["a.mp4  walk 0.750", "a.mp4  unknown:  walk 0.625"]
    for suffix in ("csv", "json"):
        with PredictionFile(tmp_path / f"scores.{suffix}", "m.ckpt", scorer.class_names, top_k=1) as file:
            file.add(unsure)
            file.finish()
    with (tmp_path / "scores.csv").open(newline="") as table:
        (row,) = csv.DictReader(table)
    assert (row["prediction"], float(row["p_walk"])) == ("unknown", 0.625)
    (found,) = json.loads((tmp_path / "scores.json").read_text())["predictions"]
    assert (found["prediction"], found["scores"]["walk"]) == ("unknown", 0.625)
    live = cast(
        Any,
        SimpleNamespace(
            prediction=unsure, time=datetime.now(UTC), lag_seconds=0.1, windows_per_second=1.0, num_skipped=0,
            num_dropped=0,
        ),
    )  # fmt: skip
    assert json.loads(json_line(live))["prediction"] == "unknown"
    assert "unknown:  walk 0.625" in text_line(live, top_k=1)


def test_the_threshold_is_one_of_probabilities_at_the_temperature() -> None:
    scorer = Fixed(Decision({"model": 3.0}, unknown_below=0.7))
    scorer.say_unknown()
    assert scorer.prediction_of("a.mp4", [(0.9, 0.1)]).label == "unknown"  # (0.9, 0.1) at T = 3 is (0.675, 0.325)
    assert scorer.answer(np.array([0.75, 0.25])) == ("walk",)


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (Fixed(Decision()), "m.ckpt: has no threshold for unknown videos: train with --model.decision.unknown"),
        (Fixed(Decision(unknown_below=0.5), ("walk", "unknown")), "m.ckpt: has a class called unknown"),
    ],
)
def test_a_model_that_cannot_say_so_is_refused_in_one_line(scorer: Fixed, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        scorer.say_unknown()
    assert "\n" not in str(caught.value)
