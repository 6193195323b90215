"""Out-of-fold probabilities -> the figures by which heads are compared, and the ensemble that does best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidcls.probe.linear_heads import Floats, Labels
from vidcls.tasks.average_precision import average_precisions, macro

NUM_DRAWS = 500
SMALLEST_PROBABILITY = 1e-12


def mean_class_accuracy(probabilities: Floats, labels: Labels) -> float:
    """The mean over classes of the share of videos that are right; mAP where videos may have several classes."""
    if labels.ndim == 2:
        return macro(average_precisions(probabilities, labels)(None))
    hits = probabilities.argmax(axis=1) == labels
    return float(np.mean([hits[labels == k].mean() for k in np.unique(labels)]))


def log_loss(probabilities: Floats, labels: Labels) -> float:
    """The mean over classes of the mean negative logarithm of the right class' probability.

    Where videos may have several classes, the mean binary cross entropy.
    """
    if labels.ndim == 2:
        right = np.where(labels, probabilities, 1 - probabilities)
        return float(-np.log(np.maximum(right, SMALLEST_PROBABILITY)).mean())
    losses = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], SMALLEST_PROBABILITY))
    return float(np.mean([losses[labels == k].mean() for k in np.unique(labels)]))


def standard_error(probabilities: Floats, labels: Labels, groups: NDArray[np.intp], *, seed: int = 0) -> float:
    """Of :func:`mean_class_accuracy`, over draws of whole groups with replacement (cluster bootstrap)."""
    num_groups, num_classes = groups.max() + 1, labels.max() + 1
    if labels.ndim == 2:
        draws = np.random.default_rng(seed).multinomial(num_groups, np.full(num_groups, 1 / num_groups), NUM_DRAWS)
        by_class = average_precisions(probabilities, labels)
        return float(np.std([macro(by_class(draw[groups].astype(float))) for draw in draws]))
    hits, totals = np.zeros((num_groups, num_classes)), np.zeros((num_groups, num_classes))
    np.add.at(hits, (groups, labels), probabilities.argmax(axis=1) == labels)
    np.add.at(totals, (groups, labels), 1)
    draws = np.random.default_rng(seed).multinomial(num_groups, np.full(num_groups, 1 / num_groups), NUM_DRAWS)
    drawn_totals = draws @ totals  # (draws, K)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracies = np.where(drawn_totals > 0, draws @ hits / drawn_totals, np.nan)
    return float(np.nanmean(accuracies, axis=1).std())


def rank(probabilities: Floats, labels: Labels) -> tuple[float, float]:
    """What is compared, higher is better: mean class accuracy, then log-loss."""
    return round(mean_class_accuracy(probabilities, labels), 9), -round(log_loss(probabilities, labels), 9)


def greedy_ensemble(candidates: Sequence[Floats], labels: Labels, size: int) -> list[int]:
    """Numbers of the candidates, with repetition, whose mean probability does best; the best one alone comes first.

    Caruana et al.: Ensemble selection from libraries of models, ICML 2004: starting from the best candidate, whichever
    helps most is added, up to ``size``; of all sizes that one is kept that does best, the smallest of equals.

    Args:
        candidates: out-of-fold probabilities ``(N, K)`` of each.
        labels: (N,).
        size: most members.
    """
    best = max(range(len(candidates)), key=lambda k: (rank(candidates[k], labels), -k))
    members, total = [best], candidates[best].copy()
    kept, kept_rank = [best], rank(total, labels)
    while len(members) < size:
        num = len(members) + 1
        chosen = max(range(len(candidates)), key=lambda k: (rank((total + candidates[k]) / num, labels), -k))
        members, total = [*members, chosen], total + candidates[chosen]
        if (own := rank(total / num, labels)) > kept_rank:
            kept, kept_rank = list(members), own
    return kept


def mean_of(candidates: Sequence[Floats], members: Sequence[int]) -> Floats:
    """The mean probability of an ensemble."""
    return np.mean([candidates[k] for k in members], axis=0)
