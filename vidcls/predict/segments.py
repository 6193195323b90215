"""The scores of the windows of a long video -> segments: from when to when it shows which class.

::

    score of wave    .1  .2  .9  .8  .3  .9  .8  .2  .1
    median of 3      .1  .2  .8  .8  .8  .8  .8  .2  .1     one window that differs is no end
    enter at .5, leave below .4
                             |---------------|
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal, get_args

from vidcls.predict.prediction import Prediction

Smoothing = Literal["median", "mean", "none"]


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """How scores become segments. The defaults are conventions, and were not chosen on the results of any test.

    Args:
        smoothing: what the score of a window is replaced by: the median, or the mean, of its neighbours and itself.
        smoothing_windows: how many windows that takes, an odd number; at the ends of a video, fewer.
        enter: score from which on a segment begins; above 0.5 at most one class of a softmax has it.
        leave: score below which it ends; at most ``enter``.
        shortest_seconds: what is shorter is dropped, and a gap of that length between two segments of one class closed.
    """

    smoothing: Smoothing = "median"
    smoothing_windows: int = 3
    enter: float = 0.5
    leave: float = 0.4
    shortest_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what means nothing."""
        if self.smoothing not in get_args(Smoothing):
            raise ValueError(f"smoothing is {self.smoothing!r}; allowed are {', '.join(get_args(Smoothing))}")
        if self.smoothing_windows < 1 or self.smoothing_windows % 2 == 0:
            raise ValueError(f"smoothing_windows is {self.smoothing_windows}; it must be odd and at least 1")
        if not 0 < self.leave <= self.enter <= 1:
            raise ValueError(
                f"enter is {self.enter:g} and leave {self.leave:g}; both must be above 0 and at most 1, and leave not "
                "above enter"
            )
        if not 0 <= self.shortest_seconds < float("inf"):
            raise ValueError(f"shortest_seconds is {self.shortest_seconds:g}; it must be 0 or more")


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of a video that shows one class.

    Args:
        start: where it begins, in seconds.
        end: where it ends.
        label: the class.
        score: the mean of its smoothed scores.
    """

    start: float
    end: float
    label: str
    score: float


def segments_of(
    predictions: Iterable[Prediction], settings: SegmentSettings | None = None, *, several: bool = False
) -> list[Segment]:
    """The segments of a video, in order of time, which need not cover it.

    Args:
        predictions: of its windows, in order of time.
        settings: how; None takes the defaults.
        several: whether it may show several classes at a time; then segments of two classes may overlap, else none do.
    """
    finder = SegmentFinder(settings, several=several)
    found = [segment for prediction in predictions for segment in finder.add(prediction)]
    return in_order_of_time([*found, *finder.finish()])


def in_order_of_time(segments: Iterable[Segment]) -> list[Segment]:
    """By their starts; those that start together in the order in which they end."""
    return sorted(segments, key=lambda segment: (segment.start, segment.end))


class SegmentFinder:
    """Takes the windows of a video as they come, and hands out each segment once it cannot change any more.

    A moment belongs to the window whose middle is nearest in time, so that borders lie half way between two middles;
    the first window reaches to the beginning of the video and the last one to its end.

    Args:
        settings: how; None takes the defaults.
        several: whether a video may show several classes at a time: each class then begins and ends by itself, and
            segments come in the order in which they end.
    """

    def __init__(self, settings: SegmentSettings | None = None, *, several: bool = False) -> None:
        self.several = several
        self.settings = settings or SegmentSettings()
        width = 1 if self.settings.smoothing == "none" else self.settings.smoothing_windows
        self._half = width // 2
        self._near: deque[Prediction] = deque(maxlen=width)  # the windows that are smoothed together
        self._num_added = 0
        self.highest = 0.0
        """The highest smoothed score of a class so far."""
        self._cells = _Cells()
        self._tracks: list[_Track] = []  # one for all classes, or for each; made once these are known

    def add(self, prediction: Prediction) -> list[Segment]:
        """Take the next window; returns what is certain by now."""
        self._near.append(prediction)
        self._num_added += 1
        if self._num_added <= self._half:
            return []
        return self._smoothed(self._num_added - 1 - self._half)

    def finish(self) -> list[Segment]:
        """The segments that the end of the video settles."""
        found: list[Segment] = []
        for index in range(max(self._num_added - self._half, 0), self._num_added):
            found += self._smoothed(index)
        found += self._tracked(self._cells.finish())
        return [*found, *(segment for track in self._tracks for segment in track.finish())]

    def _smoothed(self, index: int) -> list[Segment]:
        """Go on with window ``index``, whose neighbours, as far as there are any, are here."""
        first = self._num_added - len(self._near)  # index of the first one that is here
        near = [p for k, p in enumerate(self._near, first) if abs(k - index) <= self._half]
        middle = self._near[index - first]
        scores = [
            _SMOOTHED[self.settings.smoothing](of_class) for of_class in zip(*(p.scores for p in near), strict=True)
        ]
        self.highest = max(self.highest, *scores)
        return self._tracked(self._cells.add(middle, scores))

    def _tracked(self, cell: _Cell | None) -> list[Segment]:
        if cell is None:
            return []
        start, end, names, scores = cell
        among: list[tuple[tuple[str, ...], list[float]]] = [(names, scores)]
        if self.several:
            among = [((name,), [score]) for name, score in zip(names, scores, strict=True)]
        self._tracks = self._tracks or [_Track(self.settings) for _ in among]
        return [
            segment
            for track, (of_track, theirs) in zip(self._tracks, among, strict=True)
            for segment in track.add(start, end, of_track, theirs)
        ]


_SMOOTHED: dict[Smoothing, Callable[[Sequence[float]], float]] = {
    "median": median,
    "mean": fmean,
    "none": lambda scores: scores[0],
}
_Cell = tuple[float, float, tuple[str, ...], list[float]]  # from when, to when, class names and scores


class _Cells:
    """Windows, which may overlap -> spans that do not: a moment belongs to the window whose middle is nearest."""

    def __init__(self) -> None:
        self._last: tuple[Prediction, list[float]] | None = None
        self._start = 0.0

    def add(self, window: Prediction, scores: list[float]) -> _Cell | None:
        """The span of the window before."""
        before, self._last = self._last, (window, scores)
        if before is None:
            self._start = window.start_seconds
            return None
        border = (_middle(before[0]) + _middle(window)) / 2
        cell = (self._start, border, window.class_names, before[1])
        self._start = border
        return cell

    def finish(self) -> _Cell | None:
        """The span of the last window."""
        if self._last is None:
            return None
        window, scores = self._last
        return self._start, window.end_seconds, window.class_names, scores


class _Track:
    """Spans -> segments of classes of which at most one is shown at a time."""

    def __init__(self, settings: SegmentSettings) -> None:
        self._hysteresis = _Hysteresis(settings)
        self._joined = _Joined(settings.shortest_seconds)

    def add(self, start: float, end: float, names: tuple[str, ...], scores: list[float]) -> list[Segment]:
        return self._joined.add(self._hysteresis.add(start, end, names, scores))

    def finish(self) -> list[Segment]:
        return [*self._joined.add(self._hysteresis.finish()), *self._joined.finish()]


class _Hysteresis:
    """Spans -> runs of one class: it begins at a high score, and ends at a low one or where another begins."""

    def __init__(self, settings: SegmentSettings) -> None:
        self._enter, self._leave = settings.enter, settings.leave
        self._current = -1
        self._label, self._start, self._end = "", 0.0, 0.0
        self._seconds, self._weighted = 0.0, 0.0  # of the run so far, and the sum of its scores times seconds

    def add(self, start: float, end: float, names: tuple[str, ...], scores: list[float]) -> Segment | None:
        """The run that this span ends, if it does."""
        best = max(range(len(scores)), key=scores.__getitem__)
        if scores[best] >= self._enter:
            wanted = best
        elif self._current >= 0 and scores[self._current] >= self._leave:
            wanted = self._current
        else:
            wanted = -1
        ended = None
        if wanted != self._current:
            ended = self.finish()
            self._current, self._start = wanted, start
            self._label = names[wanted] if wanted >= 0 else ""
            self._seconds, self._weighted = 0.0, 0.0
        if wanted >= 0:
            self._seconds += end - start
            self._weighted += scores[wanted] * (end - start)
        self._end = end
        return ended

    def finish(self) -> Segment | None:
        """The run that the end of the video ends."""
        if self._current < 0:
            return None
        self._current = -1
        score = self._weighted / self._seconds if self._seconds > 0 else 0.0
        return Segment(self._start, self._end, self._label, score)


class _Joined:
    """Runs -> those that last long enough, with short gaps between two of one class closed."""

    def __init__(self, shortest_seconds: float) -> None:
        self._shortest = shortest_seconds
        self._waiting: Segment | None = None

    def add(self, segment: Segment | None) -> list[Segment]:
        if segment is None or segment.end - segment.start < self._shortest:
            return []
        before, self._waiting = self._waiting, segment
        if before is None:
            return []
        if before.label == segment.label and segment.start - before.end <= self._shortest:
            shares = [(s.end - s.start) for s in (before, segment)]
            score = (before.score * shares[0] + segment.score * shares[1]) / sum(shares)
            self._waiting = Segment(before.start, segment.end, segment.label, score)
            return []
        return [before]

    def finish(self) -> Iterator[Segment]:
        if self._waiting is not None:
            yield self._waiting
        self._waiting = None


def _middle(window: Prediction) -> float:
    return (window.start_seconds + window.end_seconds) / 2
