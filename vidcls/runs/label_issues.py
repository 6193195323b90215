"""Out-of-fold scores -> labels that are probably wrong, by confident learning.

The method of Northcutt, Jiang and Chuang: Confident Learning: Estimating Uncertainty in Dataset Labels, JAIR 2021. It
is a page of NumPy, so that it takes no further package; cleanlab has it as ``filter_by="confident_learning"``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidcls.runs.results import ScoredVideos

COLUMNS = ("path", "label", "suggested", "p_label", "p_suggested", "videos")


@dataclass(frozen=True)
class LabelIssue:
    """A label that is probably wrong.

    Args:
        number: position of the video among those that were looked at.
        path: its name.
        label: the class that it is said to be of.
        suggested: the class that it is probably of.
        p_label: probability of the former, by a network that was not trained on the video.
        p_suggested: probability of the latter.
    """

    number: int
    path: str
    label: str
    suggested: str
    p_label: float
    p_suggested: float


def class_thresholds(scores: NDArray[np.floating], labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """How probable a class is, on average, for videos that are said to be of it: ``(K,)``, NaN where there are none.

    Args:
        scores: ``(N, K)``.
        labels: ``(N,)``.
    """
    K = scores.shape[1]
    own = scores[np.arange(len(labels)), labels].astype(np.float64)
    counts = np.bincount(labels, minlength=K)
    sums = np.bincount(labels, own, minlength=K)
    return np.divide(sums, counts, out=np.full(K, np.nan), where=counts > 0)


def confident_classes(scores: NDArray[np.floating], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """The class that each video is confidently of ``(N,)``: the most probable one of those at their threshold; or -1.

    Args:
        scores: ``(N, K)``.
        thresholds: ``(K,)``; a class whose threshold is NaN is never confident.
    """
    is_confident = scores >= np.nan_to_num(thresholds, nan=np.inf) - 1e-6
    best = np.where(is_confident, scores, -1.0).argmax(axis=1)
    return np.where(is_confident.any(axis=1), best, -1)


def label_issues(videos: ScoredVideos, reference: ScoredVideos | None = None) -> list[LabelIssue]:
    """Videos that are confidently of another class than their label, the least probable labels first.

    A video whose label is also its most probable class is never among them.

    Args:
        videos: scored by networks that were not trained on them, of one class each.
        reference: videos whose mean probabilities are the thresholds, such as those of the validation where ``videos``
            are a test, of which nothing is taken but what is listed; None for ``videos`` themselves.
    """
    if not videos.task.has_one_class:
        return []
    own = videos if reference is None else reference
    labels = videos.labels.astype(np.int64)
    found = confident_classes(videos.scores, class_thresholds(own.scores, own.labels.astype(np.int64)))
    is_issue = (found >= 0) & (found != labels) & (videos.scores.argmax(axis=1) != labels)
    p_label = videos.scores[np.arange(len(labels)), labels]
    numbers = np.flatnonzero(is_issue)
    return [
        LabelIssue(
            int(k),
            videos.paths[k],
            videos.class_names[labels[k]],
            videos.class_names[found[k]],
            float(p_label[k]),
            float(videos.scores[k, found[k]]),
        )
        for k in numbers[np.argsort(p_label[numbers], kind="stable")]
    ]


def issue_rows(by_source: Sequence[tuple[str, Sequence[LabelIssue]]]) -> Iterator[tuple[object, ...]]:
    """The header and a line for each issue, of a csv file.

    Args:
        by_source: what the videos are (``validation``, ``test``) and their issues.
    """
    yield COLUMNS
    for source, issues in by_source:
        for issue in issues:
            p_label, p_suggested = f"{issue.p_label:.6g}", f"{issue.p_suggested:.6g}"
            yield issue.path, issue.label, issue.suggested, p_label, p_suggested, source
