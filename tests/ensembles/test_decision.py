"""What an ensemble chooses for the joint answer of its members, on validation videos alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vidcls.ensembles.decision import ChosenDecision, choose_for
from vidcls.ensembles.members import Member
from vidcls.ensembles.weights import ValidationScores, combined
from vidcls.errors import ConfigurationError
from vidcls.predict.ensemble_predictor import EnsemblePredictor
from vidcls.runs.calibration import at_temperature, fitted_on
from vidcls.runs.held_out import HeldOutFacts, write_held_out
from vidcls.runs.results import ScoredVideos
from vidcls.runs.run import RunFolder
from vidcls.tasks.class_thresholds import best_f1_thresholds
from vidcls.tasks.decision import NO_DECISION, Decision
from vidcls.tasks.ensemble import Ensemble, Rule
from vidcls.training.decision_settings import DecisionSettings

CLASSES = ("a", "b")
NOTHING_ASKED = DecisionSettings()
NOTHING_CHOSEN = ChosenDecision(NO_DECISION)


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
    chosen = choose_for(members, ensemble, lambda: ValidationScores.of(members), NOTHING_ASKED)
    one, two = (member.validated().scores for member in members)
    together = (one + two) / 2
    if rule == "product":
        powers = np.sqrt(one * two)
        together = powers / (powers + np.sqrt((1 - one) * (1 - two)))
    expected = best_f1_thresholds(together, members[0].validated().labels)
    assert chosen.decision.thresholds == pytest.approx(expected, abs=1e-6)
    assert max(chosen.decision.thresholds) < 0.5
    assert len(chosen.lines) == 1
    assert "from 40 validation videos: macro F1 0.000 -> 1.000" in chosen.lines[0]


def test_without_validation_scores_a_line_says_why_every_class_has_one_half(tmp_path: Path) -> None:
    members = two_members(tmp_path)
    (tmp_path / "y" / "validation.csv").unlink()
    chosen = choose_for(members, of_rule("mean"), lambda: ValidationScores.of(members), NOTHING_ASKED)
    assert chosen.decision == NO_DECISION
    assert f"0.5 for each, though members have others: {tmp_path / 'y'}: has no validation.csv" in chosen.lines[0]
    assert "vidcls validate" in chosen.lines[0]
    asked = DecisionSettings(temperature_scaling=True)
    with pytest.raises(ConfigurationError, match=r"--temperature_scaling: .* has no validation.csv"):
        choose_for(members, of_rule("mean"), lambda: ValidationScores.of(members), asked)


def test_members_that_wanted_none_give_none_and_one_class_needs_none(tmp_path: Path) -> None:
    members = two_members(tmp_path, thresholds=())

    def validation() -> ValidationScores:
        raise AssertionError("nothing is chosen")

    chosen = choose_for(members, of_rule("mean"), validation, NOTHING_ASKED)
    assert chosen == ChosenDecision(NO_DECISION, ("thresholds by class: 0.5 for each, as in the members",))
    assert choose_for(members, of_rule("mean", "single_label"), validation, NOTHING_ASKED) == NOTHING_CHOSEN
    with pytest.raises(ConfigurationError, match="--unknown is for videos of one class each"):
        choose_for(members, of_rule("mean"), validation, DecisionSettings(unknown="max_probability"))


def test_an_ensemble_answers_by_them_wherever_it_is_asked() -> None:
    ensemble = Ensemble.from_dict(replace(of_rule("mean"), decision=Decision(thresholds=(0.2, 0.4))).to_dict())
    model = EnsemblePredictor(Path("best.ckpt"), ensemble, ())
    scores = np.array([0.3, 0.3])
    assert model.answer(scores) == ("a",)
    assert model.decision.answer(scores, model.task) == ("a",)  # as the parts of a long video are
    has = np.array([[1, 0], [0, 1]])
    videos = combined(ensemble, [scored(np.log(np.full((2, 2), 0.3 / 0.7)), has, "v")] * 2)
    assert [videos.prediction(k) for k in range(2)] == ["a", "a"]


@pytest.mark.parametrize("thresholds", [[0.5], [0.5, float("nan")], [0.0, 0.5], [0.5, 2], "ab"])
def test_thresholds_of_a_file_that_no_answer_can_have_are_refused(thresholds: object) -> None:
    with pytest.raises(ValueError, match="threshold"):
        Ensemble.from_dict({**of_rule("mean").to_dict(), "decision": {"thresholds": thresholds}})
    older = {name: value for name, value in of_rule("mean").to_dict().items() if name != "decision"}
    assert Ensemble.from_dict(older) == of_rule("mean")
    of_older = Ensemble.from_dict({**older, "thresholds": [0.2, 0.4]})
    assert of_older == replace(of_rule("mean"), decision=Decision(thresholds=(0.2, 0.4)))


def of_one_class(folder: Path, name: str, seed: int, *, tested_views: int = 1) -> Member:
    """Probabilities of 4000 validation videos that mean what they say: so often their class is right."""
    labels = np.random.default_rng(7).integers(2, size=4000)
    seen = np.random.default_rng(seed).normal(loc=2 * labels - 1)  # of two normal distributions, two apart
    p = 1 / (1 + np.exp(-2 * seen))
    videos = ScoredVideos(
        CLASSES, tuple(f"v{k}" for k in range(4000)), labels, ("",) * 4000, np.stack([1 - p, p], axis=1)
    )
    (folder / name).mkdir()
    write_held_out(folder / name, videos, HeldOutFacts(4000, CLASSES, "single_label"))
    tested = replace(videos, paths=tuple(f"t{k}" for k in range(4000)))
    run = RunFolder(folder / name, tested, {"views_per_video": tested_views})
    return Member(name, run, folder / name / "best.ckpt", {})


def test_a_mean_of_calibrated_members_is_underconfident_and_gets_a_temperature_and_a_threshold(tmp_path: Path) -> None:
    members = [of_one_class(tmp_path, name, seed) for name, seed in (("x", 1), ("y", 2))]
    ensemble = of_rule("mean", "single_label")
    validation = ValidationScores.of(members)
    settings = DecisionSettings(temperature_scaling=True, unknown="max_probability", known_share=0.9)
    chosen = choose_for(members, ensemble, lambda: validation, settings)
    together = combined(ensemble, validation.members)
    temperature = chosen.decision.temperature["model"]
    assert temperature == pytest.approx(fitted_on(together).temperature)
    assert temperature < 0.9 < min(fitted_on(videos).temperature for videos in validation.members)
    decided = replace(ensemble, decision=chosen.decision)
    answered = combined(decided, validation.members)
    assert answered.scores == pytest.approx(at_temperature(together, temperature).scores, abs=1e-6)
    assert chosen.decision.unknown_below is not None
    assert (answered.confidence >= chosen.decision.unknown_below - 1e-6).sum() == 3600
    assert [line.partition(":")[0] for line in chosen.lines] == ["temperature", "unknown"]
    assert Ensemble.from_dict(decided.to_dict()) == decided
    model = EnsemblePredictor(Path("best.ckpt"), decided, ())
    unsure, sure = np.array([0.45, 0.55]), np.array([0.01, 0.99])
    assert model.answer(unsure) == ("b",)
    model.say_unknown()
    assert (model.answer(unsure), model.answer(sure)) == (("unknown",), ("b",))
    with pytest.raises(ConfigurationError, match="make it again with vidcls ensemble --unknown max_probability"):
        EnsemblePredictor(Path("best.ckpt"), ensemble, ()).say_unknown()


def test_validation_scores_of_fewer_views_than_the_test_has_are_hinted_at(tmp_path: Path) -> None:
    members = [of_one_class(tmp_path, "x", 1), of_one_class(tmp_path, "y", 2, tested_views=10)]
    settings = DecisionSettings(unknown="max_probability")
    chosen = choose_for(members, of_rule("mean", "single_label"), lambda: ValidationScores.of(members), settings)
    hints = [line for line in chosen.lines if line.startswith("hint: ")]
    assert len(hints) == 1
    assert "y: its test averages 10 views of a video, its validation scores 1" in hints[0]
