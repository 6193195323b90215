"""What a model offers that is a fusion of parts: losses, tables and explanations by part use nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class HasParts(Protocol):
    """A model that is a fusion of parts, each of which could answer alone."""

    parts: ClassVar[tuple[str, ...]]

    @property
    def trained_parts(self) -> tuple[str, ...]:
        """The parts that get a loss."""

    def forward_parts(self, *streams: Tensor) -> dict[str, Tensor]:
        """Logits ``(B, K)`` of every part."""

    def fuse(self, parts: Mapping[str, Tensor]) -> Tensor:
        """The logits ``(B, K)`` of the default fusion."""

    def all_fusions(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The logits ``(B, K)`` of every fusion that the model knows, by name."""
