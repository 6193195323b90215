"""Candidates and how they did -> the lines of a table."""

from __future__ import annotations

from dataclasses import dataclass

from vidcls.layers.probe_heads import AFFINE, HeadSettings

COLUMNS = (  # of the table of what was tried
    "weight",
    "kind",
    "levels",
    "descriptor",
    "places",
    "scale",
    "strength",
    "pca",
    "num_epochs",
    "mean_class_accuracy",
    "standard_error",
    "log_loss",
    "seconds",
)


@dataclass(frozen=True)
class Row:
    """One candidate in the table of what was tried.

    Args:
        settings: of the head.
        mean_class_accuracy: of the videos' out-of-fold probabilities.
        standard_error: of that, over groups.
        log_loss: of the same probabilities, the mean over classes.
        seconds: that it took, all folds together.
        weight: in the chosen heads; 0 where it was not chosen.
    """

    settings: HeadSettings
    mean_class_accuracy: float
    standard_error: float
    log_loss: float
    seconds: float
    weight: int

    def line(self) -> list[str]:
        """The row as text, below :data:`COLUMNS`."""
        own, pooled = self.settings, self.settings.kind != "attentive"
        return [
            str(self.weight),
            own.kind,
            "+".join(own.levels),
            own.descriptor if pooled else "",
            own.places if pooled else "",
            own.scale if pooled else "",
            f"{own.strength:g}" if own.kind in AFFINE else "",
            str(own.pca) if own.kind in AFFINE else "",
            str(own.num_epochs) if own.kind not in AFFINE else "",
            f"{self.mean_class_accuracy:.6f}",
            f"{self.standard_error:.6f}",
            f"{self.log_loss:.6f}",
            f"{self.seconds:.3f}",
        ]
