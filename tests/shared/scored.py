"""Videos that were scored, in few words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidcls.runs.results import ScoredVideos


def scored(
    labels: Sequence[int],
    scores: Sequence[Sequence[float]],
    class_names: Sequence[str] = "abc",
    *,
    paths: Sequence[str] = (),
    groups: Sequence[str] = (),
) -> ScoredVideos:
    """Labels ``(N,)`` and scores ``(N, K)`` by number -> videos of classes ``a``, ``b``, ``c``."""
    names = tuple(paths) or tuple(f"{k}.avi" for k in range(len(labels)))
    table = np.array(scores, dtype=np.float32)
    classes = tuple(class_names)[: table.shape[1]]
    return ScoredVideos(classes, names, np.array(labels), tuple(groups) or ("",) * len(names), table)
