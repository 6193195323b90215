"""What is chosen on the validation videos when a training has ended, to turn scores into answers."""

from __future__ import annotations

from dataclasses import dataclass

from vidcls.tasks.decision import UnknownScore


@dataclass(frozen=True)
class DecisionSettings:
    """What is fitted to the validation videos, scored with all views of the test, and kept in the checkpoint.

    Args:
        temperature_scaling: divide logits by a temperature, so that a probability is the share that is right.
        unknown: take a video for one of no class by its largest probability (``max_probability``); left out: never.
        known_share: share of the validation videos that is not to be taken for unknown, 0 to 1.
        thresholds: where a video may have several labels, choose for each class the probability from which on it is
            predicted, by its F1; else that is 0.5.
    """

    temperature_scaling: bool = False
    unknown: UnknownScore | None = None
    known_share: float = 0.95
    thresholds: bool = True

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        if not 0 < self.known_share <= 1:
            raise ValueError(f"decision.known_share must lie above 0 and up to 1, got {self.known_share}")

    @property
    def is_asked(self) -> bool:
        """Whether anything is fitted."""
        return self.temperature_scaling or self.unknown is not None
