"""The weights of an ensemble are those with the least validation loss, and know of no test video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidcls.ensembles.members import Member, aligned
from vidcls.ensembles.weights import ValidationScores, choose_weights, combined
from vidcls.errors import ConfigurationError
from vidcls.runs.held_out import HeldOutFacts, write_held_out
from vidcls.runs.results import ScoredVideos
from vidcls.runs.run import RunFolder
from vidcls.tasks import MultiLabel
from vidcls.tasks.decision import Decision
from vidcls.tasks.ensemble import Ensemble, Rule

CLASSES = ("a", "b", "c")


def scored(scores: np.ndarray, labels: np.ndarray, *, prefix: str = "v") -> ScoredVideos:
    names = tuple(f"{prefix}{k}" for k in range(len(labels)))
    return ScoredVideos(CLASSES, names, labels, ("",) * len(labels), scores)


def keep(run: Path, videos: ScoredVideos) -> None:
    write_held_out(run, videos, HeldOutFacts(len(videos), videos.class_names, videos.task_name))


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits)
    return powers / powers.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("rule", ["mean", "product"])
def test_weights_have_the_least_loss_of_all_on_a_grid(rule: Rule) -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(3, size=60)
    right = np.eye(3)[labels]
    members = tuple(
        scored(softmax(strength * right + generator.normal(size=(60, 3))), labels) for strength in (2.0, 1.0, 0.0)
    )
    chosen = choose_weights(ValidationScores(members), rule)
    assert sum(chosen.weights) == pytest.approx(1)
    assert chosen.weights[0] > chosen.weights[1] > chosen.weights[2]

    def loss(weights: tuple[float, ...]) -> float:
        found = combined(Ensemble(CLASSES, CLASSES, rule, weights, "single_label"), members).scores
        return float(-np.log(found[np.arange(60), labels]).mean())

    grid = [(i / 20, j / 20, (20 - i - j) / 20) for i in range(21) for j in range(21 - i)]
    assert chosen.loss == pytest.approx(loss(chosen.weights), abs=1e-4)
    assert chosen.equal_loss == pytest.approx(loss((1.0, 1.0, 1.0)), abs=1e-4)
    assert loss(chosen.weights) <= min(map(loss, grid)) + 1e-4


def test_no_test_video_has_a_part_in_the_weights(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    labels = generator.integers(3, size=20)
    members: list[Member] = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        validated = scored(softmax(2 * np.eye(3)[labels] + generator.normal(size=(20, 3))), labels)
        # One video is in both lists, as a careless list may have it, and the test has scores that would be chosen.
        tested = scored(np.full((20, 3), 1 / 3), labels, prefix="t")
        both = ScoredVideos(CLASSES, ("v0", *tested.paths[1:]), labels, tested.groups, tested.scores)
        keep(folder, validated)
        members.append(Member(str(number), RunFolder(folder, both, {}), folder / "best.ckpt", {}))
    found = ValidationScores.of(members)
    assert len(found) == 19
    assert not set(found.members[0].paths) & set(members[0].run.videos.paths)
    for member in members:  # what they were given is all that they are chosen from: the test may say what it wants
        object.__setattr__(member.run.videos, "scores", np.full((20, 3), np.nan))
    assert choose_weights(ValidationScores.of(members), "mean") == choose_weights(found, "mean")


def test_members_without_a_validation_video_in_common_are_one_line(tmp_path: Path) -> None:
    labels = np.array([0, 1])
    members = []
    for prefix in ("x", "y"):
        (tmp_path / prefix).mkdir()
        keep(tmp_path / prefix, scored(np.full((2, 3), 1 / 3), labels, prefix=prefix))
        run = RunFolder(tmp_path / prefix, scored(np.full((2, 3), 1 / 3), labels), {})
        members.append(Member(prefix, run, Path("best.ckpt"), {}))
    with pytest.raises(ConfigurationError, match="same validation split"):
        ValidationScores.of(members)


def test_classes_and_videos_are_matched_by_name() -> None:
    videos = scored(np.array([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]), np.array([2, 0]))
    found = aligned(videos, ("c", "a", "b"), ("v1", "v0"))
    assert found.scores.tolist() == [[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]]
    assert [found.label(k) for k in range(2)] == ["a", "c"]


def test_scores_are_at_the_temperature_that_the_test_of_the_member_has(tmp_path: Path) -> None:
    scores = np.array([[0.5, 0.3, 0.2]])
    keep(tmp_path, scored(scores, np.array([0])))
    run = RunFolder(tmp_path, scored(scores, np.array([0]), prefix="t"), {})
    found = Member("m", run, Path("best.ckpt"), {}, Decision(temperature={"model": 2.0})).validated()
    roots = np.sqrt(scores)
    assert found.scores == pytest.approx(roots / roots.sum())


@pytest.mark.parametrize("rule", ["mean", "product"])
def test_where_a_video_may_have_several_classes_the_better_member_counts_more(rule: Rule) -> None:
    task = MultiLabel(("a", "b"))
    generator = np.random.default_rng(2)
    has = generator.integers(2, size=(40, 2))
    labels = np.stack(
        [np.asarray(task.target([n for n, there in zip("ab", row, strict=True) if there])) for row in has]
    )
    paths = tuple(f"v{k}" for k in range(40))

    def member(strength: float) -> ScoredVideos:
        logits = strength * (2 * has - 1) + generator.normal(size=(40, 2))
        return ScoredVideos(("a", "b"), paths, labels, ("",) * 40, 1 / (1 + np.exp(-logits)), task.name)

    members = (member(2.0), member(0.2))
    chosen = choose_weights(ValidationScores(members), rule)
    assert chosen.weights[0] > 0.8
    assert chosen.loss < chosen.equal_loss
    both = combined(Ensemble(("x", "y"), ("a", "b"), rule, chosen.weights, task.name), members)
    assert 0 <= both.scores.min() <= both.scores.max() <= 1
    swapped = aligned(both, ("b", "a"), paths)
    assert [swapped.label(k) for k in range(4)] == [
        both.label(k) if "|" not in both.label(k) else "b|a" for k in range(4)
    ]
