"""What a network says of a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidcls.class_names import label_text
from vidcls.tasks.decision import UNKNOWN

NO_CLASS = "no class"
"""What is said of a video that is given none."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The scores of one video.

    Args:
        path: the file; of a video at an address, that as text.
        class_names: K names.
        scores: K probabilities, the mean over the views of the video.
        start_seconds: where the scored part begins.
        end_seconds: where it ends.
        classes: the classes that the video is given; ``unknown`` where it is taken for one of none.
    """

    path: Path | str
    class_names: tuple[str, ...]
    scores: tuple[float, ...]
    start_seconds: float
    end_seconds: float
    classes: tuple[str, ...]

    @property
    def label(self) -> str:
        """The classes that the video is given, as one text: the name of one class, ``a|b`` of two."""
        return label_text(self.classes)

    @property
    def is_unknown(self) -> bool:
        """Whether it is taken for a video of no class."""
        return self.classes == (UNKNOWN,) and UNKNOWN not in self.class_names

    @property
    def answer(self) -> str:
        """The same in words, where the video may be given no class."""
        return self.label or NO_CLASS

    @property
    def caption(self) -> str:
        """The classes that the video is given, each with its score: ``wave 0.93``; ``unknown`` has none.

        ``no class`` where there is none.
        """
        score_of = dict(zip(self.class_names, self.scores, strict=True))
        found = (f"{name} {score_of[name]:.2f}" if name in score_of else name for name in self.classes)
        return ", ".join(found) or NO_CLASS

    def top(self, k: int) -> list[tuple[str, float]]:
        """The ``k`` most probable classes with their scores, best first."""
        ranked = sorted(zip(self.class_names, self.scores, strict=True), key=lambda pair: -pair[1])
        return ranked[:k]
