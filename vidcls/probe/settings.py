"""What a probe tries: the candidates among which cross-validation chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from vidcls.layers.descriptors import Places, Scale, Shape, blocks_of
from vidcls.layers.probe_heads import HeadKind, HeadSettings

FLOW_PREFIX = "flow."  # of levels of a network that sees optical flow
POOLED = ("logistic", "svm", "linear")  # kinds that see a descriptor


@dataclass
class ProbeSettings:
    """Candidates: every kind of head on every level, descriptor, set of places and strength that is named here.

    Args:
        kinds: of heads: logistic, svm, linear, attentive.
        levels: each alone, or several joined by +, such as block5+head; empty: all levels together, and of a probe
            with optical flow also those of the frames and those of the flow.
        descriptors: how tokens are pooled over time, such as mean+absdiff+std+ends or segments4+absdiff.
        places: of the picture that a descriptor is made of: whole, grid, both.
        scales: of a descriptor: none, sqrt (signed square roots), unit (length 1 at each place).
        strengths: C of logistic and svm, the inverse of the regularisation.
        pca: how many principal components are kept, each number a candidate; 0 for all, not scaled. Beside the
            smallest, a number is tried only where there are twice as many training views.
        num_folds: of the cross-validation; fewer where there are fewer groups, or videos of a class.
        ensemble: most heads of which the probe is made; 1 for the best one alone.
        num_epochs: of heads that are trained in PyTorch, each number a candidate.
        width: features of a token in the attentive head.
        num_heads: of its attention.
    """

    kinds: list[HeadKind] = field(default_factory=lambda: ["logistic", "svm"])
    levels: list[str] = field(default_factory=list)
    descriptors: list[str] = field(default_factory=lambda: ["mean+absdiff+std+ends", "segments3+absdiff+std+ends"])
    places: list[Places] = field(default_factory=lambda: ["both"])
    scales: list[Scale] = field(default_factory=lambda: ["none", "sqrt"])
    strengths: list[float] = field(default_factory=lambda: [0.001, 0.01])
    pca: list[int] = field(default_factory=lambda: [128, 512])
    num_folds: int = 5
    ensemble: int = 3
    num_epochs: list[int] = field(default_factory=lambda: [60])
    width: int = 128
    num_heads: int = 4

    def __post_init__(self) -> None:
        """Refuse numbers and words with which nothing could be chosen."""
        for name in ("kinds", "descriptors", "places", "scales", "strengths", "pca", "num_epochs"):
            if not getattr(self, name):
                raise ValueError(f"probe.{name} is empty: name at least one")
        for name, allowed in (("kinds", HeadKind), ("places", Places), ("scales", Scale)):
            for word in getattr(self, name):
                if word not in get_args(allowed):
                    raise ValueError(f"probe.{name} has {word!r}: expected one of {', '.join(get_args(allowed))}")
        for name, least in (("num_folds", 2), ("ensemble", 1), ("width", 1), ("num_heads", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"probe.{name} is {getattr(self, name)}: it must be an integer of at least {least}")
        if min(self.strengths) <= 0:
            raise ValueError(f"probe.strengths has {min(self.strengths)}: each must be above 0")
        if min(self.pca) < 0 or min(self.num_epochs) < 1:
            raise ValueError("probe.pca must be 0 (all components) or more, and probe.num_epochs 1 or more")
        for descriptor in self.descriptors:
            blocks_of({"": (1, 1, 1)}, [""], descriptor, "whole")

    def candidates(self, shapes: Mapping[str, Shape], num_views: int) -> list[HeadSettings]:
        """Every head to be tried, each once, in a fixed order.

        Args:
            shapes: (T, P, D) of the tokens by level.
            num_views: of all training videos together.

        Raises:
            ValueError: a level that there is not.
        """
        joined = self.levels or _by_stream([*shapes])
        found: dict[HeadSettings, None] = {}  # in order
        for levels in (tuple(each.split("+")) for each in joined):
            blocks_of(shapes, levels, "mean", "whole")  # which refuses unknown levels
            for kind in self.kinds:
                for candidate in self._of_kind(kind, levels, shapes, num_views):
                    found[candidate] = None
        return list(found)

    def _of_kind(
        self, kind: HeadKind, levels: tuple[str, ...], shapes: Mapping[str, Shape], num_views: int
    ) -> list[HeadSettings]:
        epochs = self.num_epochs if kind in ("linear", "attentive") else self.num_epochs[:1]
        if kind == "attentive":
            return [
                HeadSettings(kind, levels, width=self.width, num_heads=self.num_heads, num_epochs=num) for num in epochs
            ]
        have_grid = any(shapes[level][1] > 1 for level in levels)
        whole: list[Places] = ["whole"]
        pca = [num for num in self.pca if num == min(self.pca) or 2 * num <= num_views]
        strengths, pca = (self.strengths, pca) if kind != "linear" else (self.strengths[:1], pca[:1])
        return [
            HeadSettings(kind, levels, descriptor, places, scale, strength, components, num_epochs=num)
            for descriptor in self.descriptors
            for places in (self.places if have_grid else whole)
            for scale in self.scales
            for components in pca
            for strength in strengths
            for num in epochs
        ]


def _by_stream(levels: list[str]) -> list[str]:
    """All levels together; where some are of flow, the others and these by themselves too."""
    of_flow = [level for level in levels if level.startswith(FLOW_PREFIX)]
    of_frames = [level for level in levels if level not in of_flow]
    sets = [levels, *([of_frames, of_flow] if of_flow and of_frames else [])]
    return ["+".join(own) for own in sets]
