"""What a network must offer to be scored: its streams and its logits, and those of its parts where it has several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Protocol, runtime_checkable

from torch import Tensor
from torch.nn import Parameter

from vidcls.tasks import Task
from vidcls.types import Stream


class Network(Protocol):
    """Streams ``(B, C, T, H, W)`` -> logits ``(B, K)``; a module of PyTorch."""

    streams: ClassVar[tuple[Stream, ...]]

    @property
    def task(self) -> Task:
        """What its logits mean."""

    def __call__(self, *streams: Tensor) -> Tensor:
        """Logits ``(B, K)``, from one argument for each entry of ``streams``."""

    def parameters(self) -> Iterator[Parameter]:
        """Its weights, which say on which device and in which precision it computes."""


@runtime_checkable
class HasParts(Protocol):
    """A network that is a fusion of parts, each of which could answer alone."""

    parts: ClassVar[tuple[str, ...]]

    @property
    def trained_parts(self) -> tuple[str, ...]:
        """The parts that get a loss."""

    def forward_parts(self, *streams: Tensor) -> dict[str, Tensor]:
        """Logits ``(B, K)`` of every part."""

    def fuse(self, parts: Mapping[str, Tensor]) -> Tensor:
        """The logits ``(B, K)`` of the default fusion."""

    def all_fusions(self, parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The logits ``(B, K)`` of every fusion that the network knows, by name."""
