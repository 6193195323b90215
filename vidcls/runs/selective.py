"""Confidences of a test -> which answers to keep: risk by coverage, and known videos told from unknown ones."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from vidcls.runs.results import ScoredVideos
from vidcls.runs.summary import Summary


@dataclass(frozen=True)
class RiskCoverage:
    """The share of wrong answers where the least confident videos get none.

    Args:
        coverage: share of the videos that are answered, at each confidence that occurs, the highest first.
        risk: share of these answers that is wrong.
        area: mean risk over 1, 2, ... N answered videos, the most confident first (Geifman et al.: Bias-Reduced
            Uncertainty Estimation for Deep Neural Classifiers, ICLR 2019); videos of equal confidence in any order.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: float


@dataclass(frozen=True)
class UnknownTest:
    """What a threshold that was chosen on validation does in a test, and how well unknown videos can be told.

    Args:
        below: videos with a smaller largest probability are unknown; None where no threshold was chosen.
        kept: share of the test videos of known classes that are answered; None without a threshold.
        risk: share of these answers that is wrong; None where none is answered.
        left_out_classes: of the videos of no class.
        num_left_out: how many there are.
        found: share of them that is called unknown; None without a threshold, or without such videos.
        auroc: how probable it is that a video of a known class has a larger largest probability than one of them; None
            without such videos.
    """

    below: float | None
    kept: float | None
    risk: float | None
    left_out_classes: tuple[str, ...] = ()
    num_left_out: int = 0
    found: float | None = None
    auroc: float | None = None

    def to_dict(self) -> dict[str, object]:
        """For ``test.json``."""
        return {**asdict(self), "score": "max_probability", "left_out_classes": list(self.left_out_classes)}

    @property
    def line(self) -> str:
        """What it says, in one line."""
        words = []
        if self.below is not None and self.kept is not None:
            risk = "" if self.risk is None else f", of whose answers {100 * self.risk:.1f} % are wrong"
            words.append(f"below {self.below:.3f}; {100 * self.kept:.1f} % of the test videos are kept{risk}")
        if self.num_left_out:
            names = ", ".join(self.left_out_classes)
            found = "" if self.found is None else f", {100 * self.found:.1f} % of them called unknown"
            words.append(f"{self.num_left_out} videos of {names}, which were left out: AUROC {self.auroc:.3f}{found}")
        return f"unknown: {'; '.join(words)}"


def unknown_test_in(summary: Summary) -> UnknownTest | None:
    """What ``test.json`` says of it; None where it says nothing."""
    plain = dict(summary.get("unknown") or {})
    plain.pop("score", None)
    if not plain:
        return None
    names = plain.pop("left_out_classes", ())
    return UnknownTest(**plain, left_out_classes=tuple(names))  # type: ignore[arg-type]


def risk_coverage(videos: ScoredVideos) -> RiskCoverage:
    """The curve of N videos."""
    order = np.argsort(-videos.confidence, kind="stable")
    confidence, wrong = videos.confidence[order], ~videos.is_correct[order]
    N = len(order)
    last = np.flatnonzero(np.append(confidence[1:] != confidence[:-1], True))  # of each group of equal ones
    answered, errors = last + 1, wrong.cumsum()[last]
    expected = np.interp(np.arange(1, N + 1), np.append(0, answered), np.append(0, errors))
    area = float((expected / np.arange(1, N + 1)).mean())
    return RiskCoverage(tuple((answered / N).tolist()), tuple((errors / answered).tolist()), area)


def unknown_test(
    videos: ScoredVideos,
    below: float | None,
    left_out: NDArray[np.floating] | None = None,
    left_out_classes: tuple[str, ...] = (),
) -> UnknownTest | None:
    """What is known of it; None where there is neither a threshold nor a video of no class.

    Args:
        videos: of known classes, as they were tested.
        below: the threshold.
        left_out: confidences ``(M,)`` of videos of classes that the network does not know.
        left_out_classes: their names.
    """
    from sklearn.metrics import roc_auc_score

    num_left_out = 0 if left_out is None else len(left_out)
    if below is None and not num_left_out:
        return None
    confidence = videos.confidence
    kept = None if below is None else confidence >= below
    answers = None if kept is None else videos.is_correct[kept]
    auroc = found = None
    if left_out is not None and num_left_out:
        is_known = np.append(np.ones(len(confidence)), np.zeros(num_left_out))
        auroc = float(roc_auc_score(is_known, np.append(confidence, left_out)))
        found = None if below is None else float((left_out < below).mean())
    return UnknownTest(
        below,
        None if kept is None else float(kept.mean()),
        None if answers is None or not len(answers) else float(1 - answers.mean()),
        left_out_classes,
        num_left_out,
        found,
        auroc,
    )
