"""A batch as loaded -> what a network is fed, its logits, its scores and its features."""

from vidcls.inference.network import HasParts, Network
from vidcls.inference.network_input import NetworkInput
from vidcls.inference.scorer import Scorer

__all__ = ["HasParts", "Network", "NetworkInput", "Scorer"]
