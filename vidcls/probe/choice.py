"""Features, labels and groups of the training videos -> fitted heads, chosen by cross-validation among them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from vidcls.errors import listed
from vidcls.layers.probe_heads import HeadEnsemble, HeadSettings
from vidcls.probe.fitting import Fitting
from vidcls.probe.folds import Fold, check_classes, held_out_whole, inner_folds
from vidcls.probe.linear_heads import Floats, Labels
from vidcls.probe.reduced import Tokens, shapes_of
from vidcls.probe.scores import greedy_ensemble, log_loss, mean_class_accuracy, mean_of, standard_error
from vidcls.probe.settings import ProbeSettings
from vidcls.probe.table import Row
from vidcls.threads import one_thread


@dataclass(frozen=True)
class Choice:
    """What was chosen and how it did on training videos that were held out.

    Args:
        head: fitted on all training videos, in evaluation mode.
        settings: of its members.
        rows: all candidates, the best first.
        probabilities: out-of-fold ``(N, K)`` of what was chosen.
        mean_class_accuracy: of these; the choice itself makes it slightly optimistic.
        nested_accuracy: of the same procedure where each fold is scored by what was chosen on the other folds.
        num_folds: of the cross-validation.
    """

    head: HeadEnsemble
    settings: tuple[HeadSettings, ...]
    rows: tuple[Row, ...]
    probabilities: Floats
    mean_class_accuracy: float
    nested_accuracy: float
    num_folds: int


@one_thread()
def choose_heads(
    features: Tokens,
    labels: Sequence[int] | Labels,
    groups: Sequence[str | None],
    settings: ProbeSettings,
    *,
    class_names: Sequence[str],
    seed: int = 0,
    tell: Callable[[str], None] = lambda _line: None,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Choice:
    """Fit every candidate in grouped cross-validation, and the best, or an ensemble of the best few, on all videos.

    A candidate's score is the mean class accuracy of out-of-fold probabilities, a video's being the mean over its
    views; all views of a video, and all videos of a group, are held out together. Only the scale of
    each block of a descriptor comes from all training videos; components and classifiers see the training folds alone.

    Args:
        features: of each training video: tokens ``(V, T, P, D)`` by level.
        labels: (N,) numbers of classes; or (N, K) of 1 and 0, where videos may have several: mAP then takes the place
            of mean class accuracy.
        groups: (N,) names; None or empty for none.
        settings: what is tried.
        class_names: K names.
        seed: of folds and of heads that are trained in PyTorch.
        tell: takes a line for the user.
        progress: takes the number of candidates that are done, and of all.

    Raises:
        DatasetError: a class has fewer than two videos.
        ValueError: settings name a level that there is not.
    """
    check_classes(labels, class_names)
    shapes = shapes_of(features[0])
    candidates = settings.candidates(shapes, sum(len(next(iter(each.values()))) for each in features))
    truth = np.asarray(labels, np.intp)
    folds = inner_folds(labels, groups, settings.num_folds, seed=seed, tell=tell)
    if lost := [class_names[label] for label in held_out_whole(labels, folds)]:
        tell(
            f"all training videos of {listed(lost)} are held out together, as groups are: what has not been learned "
            "cannot be recognised, so that the scores are too low; add videos of other groups"
        )
    fitting = Fitting(features, truth, folds, shapes, len(class_names), seed)
    fitting.prepare(candidates)
    tried: list[Floats] = []
    seconds: list[float] = []
    for number, candidate in enumerate(candidates):
        start = time.perf_counter()
        tried.append(fitting.out_of_fold(candidate))
        seconds.append(time.perf_counter() - start)
        progress(number + 1, len(candidates))
    chosen = greedy_ensemble(tried, truth, settings.ensemble)
    weights = Counter(chosen)
    members = sorted(weights, key=lambda k: (-weights[k], k))
    head = HeadEnsemble(
        [candidates[k] for k in members],
        shapes,
        len(class_names),
        weights=[weights[k] for k in members],
        has_one_class=truth.ndim == 1,
    )
    for own, number in zip(head.heads, members, strict=True):
        own.load_state_dict(fitting.final(candidates[number]).state_dict())
    units = np.unique([f"group {g}" if g else f"video {k}" for k, g in enumerate(groups)], return_inverse=True)[1]
    rows = [
        Row(
            candidates[k],
            mean_class_accuracy(tried[k], truth),
            standard_error(tried[k], truth, units),
            log_loss(tried[k], truth),
            seconds[k],
            weights[k],
        )
        for k in range(len(candidates))
    ]
    rows.sort(key=lambda row: (-round(row.mean_class_accuracy, 6), row.weight == 0, row.log_loss))
    probabilities = mean_of(tried, chosen)
    return Choice(
        head.eval(),
        tuple(candidates[k] for k in members),
        tuple(rows),
        probabilities,
        mean_class_accuracy(probabilities, truth),
        nested_accuracy(tried, truth, folds, settings.ensemble),
        len(folds),
    )


def nested_accuracy(tried: Sequence[Floats], labels: Labels, folds: Sequence[Fold], size: int) -> float:
    """Mean class accuracy where what scores a fold is chosen on the other folds alone."""
    probabilities = np.empty_like(tried[0])
    for held in folds:
        others = np.setdiff1d(np.arange(len(labels)), held)
        chosen = greedy_ensemble([each[others] for each in tried], labels[others], size)
        probabilities[held] = mean_of(tried, chosen)[held]
    return mean_class_accuracy(probabilities, labels)
