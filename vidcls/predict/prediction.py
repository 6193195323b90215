"""What a network says of a video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidcls.class_names import label_text


@dataclass(frozen=True, slots=True)
class Prediction:
    """The scores of one video.

    Args:
        path: the file.
        class_names: K names.
        scores: K probabilities, the mean over the views of the video.
        start_seconds: where the scored part begins.
        end_seconds: where it ends.
        classes: the classes that the video is given.
    """

    path: Path
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
    def caption(self) -> str:
        """The classes that the video is given, each with its score: ``wave 0.93``."""
        score_of = dict(zip(self.class_names, self.scores, strict=True))
        return ", ".join(f"{name} {score_of[name]:.2f}" for name in self.classes)

    def top(self, k: int) -> list[tuple[str, float]]:
        """The ``k`` most probable classes with their scores, best first."""
        ranked = sorted(zip(self.class_names, self.scores, strict=True), key=lambda pair: -pair[1])
        return ranked[:k]
