"""What a 2D backbone is: frames in, one feature vector a frame out, by named stages."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class Backbone(nn.Module, ABC):
    """A 2D network without its classifier.

    Attributes:
        num_features: D, the length of the feature vector.
        stem: the first convolution, whose kernels see the input channels.
        stages: the parts in order of depth, by name; the last one's output is what a class activation map is drawn on.
    """

    num_features: int

    @property
    @abstractmethod
    def stem(self) -> nn.Conv2d:
        """The first convolution."""

    @property
    @abstractmethod
    def stages(self) -> dict[str, nn.Module]:
        """Named parts from the input to the last feature map."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Input ``(B, C, H, W)`` -> features ``(B, D)``."""
