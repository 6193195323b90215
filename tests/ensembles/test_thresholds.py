"""Where a video may have several classes, an ensemble has thresholds of its own, chosen on validation videos alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vidcls.ensembles.members import Member
from vidcls.ensembles.thresholds import choose_thresholds
from vidcls.ensembles.weights import ValidationScores, combined
from vidcls.predict.ensemble_predictor import EnsemblePredictor
from vidcls.runs.held_out import HeldOutFacts, write_held_out
from vidcls.runs.results import ScoredVideos
from vidcls.runs.run import RunFolder
from vidcls.tasks.class_thresholds import best_f1_thresholds
from vidcls.tasks.decision import Decision
from vidcls.tasks.ensemble import Ensemble, Rule

CLASSES = ("a", "b")


def of_rule(rule: Rule, task: str = "multi_label") -> Ensemble:
    return Ensemble(("x", "y"), CLASSES, rule, (1.0, 1.0), task)


def scored(logits: np.ndarray, has: np.ndarray, prefix: str) -> ScoredVideos:
    paths = tuple(f"{prefix}{k}" for k in range(len(has)))
    labels = has.astype(np.float32)
    return ScoredVideos(CLASSES, paths, labels, ("",) * len(has), 1 / (1 + np.exp(-logits)), "multi_label")


def two_members(folder: Path, *, thresholds: tuple[float, ...] = (0.3, 0.4)) -> list[Member]:
    """Both find what is in a video, with probabilities that all lie below one half."""
    generator = np.random.default_rng(0)
    has = generator.integers(2, size=(40, 2))
    members: list[Member] = []
    for name in ("x", "y"):
        (folder / name).mkdir()
        videos = scored(2 * has - 4 + generator.normal(scale=0.3, size=(40, 2)), has, "v")
        write_held_out(folder / name, videos, HeldOutFacts(40, CLASSES, "multi_label", views_per_video=2))
        run = RunFolder(folder / name, scored(np.full((40, 2), np.nan), has, "t"), {})
        members.append(Member(name, run, folder / name / "best.ckpt", {}, Decision(thresholds=thresholds)))
    return members


@pytest.mark.parametrize("rule", ["mean", "product"])
def test_thresholds_are_those_of_the_joint_answer(tmp_path: Path, rule: Rule) -> None:
    members, ensemble = two_members(tmp_path), of_rule(rule)
    chosen = choose_thresholds(members, ensemble, lambda: ValidationScores.of(members))
    assert chosen is not None
    one, two = (member.validated().scores for member in members)
    together = (one + two) / 2
    if rule == "product":
        powers = np.sqrt(one * two)
        together = powers / (powers + np.sqrt((1 - one) * (1 - two)))
    expected = best_f1_thresholds(together, members[0].validated().labels)
    assert chosen.thresholds == pytest.approx(expected, abs=1e-6)
    assert max(chosen.thresholds) < 0.5
    assert "from 40 validation videos: macro F1 0.000 -> 1.000" in chosen.line


def test_without_validation_scores_a_line_says_why_every_class_has_one_half(tmp_path: Path) -> None:
    members = two_members(tmp_path)
    (tmp_path / "y" / "validation.csv").unlink()
    chosen = choose_thresholds(members, of_rule("mean"), lambda: ValidationScores.of(members))
    assert chosen is not None
    assert chosen.thresholds == ()
    assert f"0.5 for each, though members have others: {tmp_path / 'y'}: has no validation.csv" in chosen.line
    assert "vidcls validate" in chosen.line


def test_members_that_wanted_none_give_none_and_one_class_needs_none(tmp_path: Path) -> None:
    members = two_members(tmp_path, thresholds=())

    def validation() -> ValidationScores:
        raise AssertionError("nothing is chosen")

    chosen = choose_thresholds(members, of_rule("mean"), validation)
    assert chosen is not None
    assert (chosen.thresholds, chosen.line) == ((), "thresholds by class: 0.5 for each, as in the members")
    assert choose_thresholds(members, of_rule("mean", "single_label"), validation) is None


def test_an_ensemble_answers_by_them_wherever_it_is_asked() -> None:
    ensemble = Ensemble.from_dict(replace(of_rule("mean"), thresholds=(0.2, 0.4)).to_dict())
    model = EnsemblePredictor(Path("best.ckpt"), ensemble, ())
    scores = np.array([0.3, 0.3])
    assert model.answer(scores) == ("a",)
    assert model.decision.answer(scores, model.task) == ("a",)  # as the parts of a long video are
    has = np.array([[1, 0], [0, 1]])
    videos = combined(ensemble, [scored(np.log(np.full((2, 2), 0.3 / 0.7)), has, "v")] * 2)
    assert [videos.prediction(k) for k in range(2)] == ["a", "a"]


@pytest.mark.parametrize("thresholds", [[0.5], [0.5, float("nan")], [0.0, 0.5], [0.5, 2], "ab"])
def test_thresholds_of_a_file_that_no_answer_can_have_are_refused(thresholds: object) -> None:
    with pytest.raises(ValueError, match=r"threshold|could not convert"):
        Ensemble.from_dict({**of_rule("mean").to_dict(), "thresholds": thresholds})
    older = {name: value for name, value in of_rule("mean").to_dict().items() if name != "thresholds"}
    assert Ensemble.from_dict(older) == of_rule("mean")
