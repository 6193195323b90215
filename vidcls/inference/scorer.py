"""A network and a batch -> its logits by row, the scores of its videos, and what its layers say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vidcls.clips.settings import InputSettings
from vidcls.inference.features import LayerFeatures
from vidcls.inference.network import HasParts, Network
from vidcls.inference.network_input import NetworkInput
from vidcls.inference.view_scores import video_scores, view_scores
from vidcls.types import MODEL_ROW, ScoreRule


@dataclass(frozen=True)
class Scorer:
    """Scores the streams of batches with a network, wherever it lies and in whatever precision it computes.

    Streams are given by name; a network takes those that it has in its own order.
    A row is the network itself (``model``), one of its parts, or one of its fusions. Mode and gradients are those that
    the caller has set.

    Args:
        network: what is asked.
        rule: what is averaged over the views of a video.
        network_input: how a batch as loaded becomes what the network is fed; None where batches come normalised, as
            those of a trainer do.
    """

    network: Network
    rule: ScoreRule = "probabilities"
    network_input: NetworkInput | None = None

    @classmethod
    def of(cls, network: Network, settings: InputSettings) -> Scorer:
        """That of batches as loaded, by the settings of the input."""
        return cls(network, settings.score, NetworkInput(settings, device=_weight(network).device))

    def fed(self, streams: Mapping[str, Tensor]) -> list[Tensor]:
        """The streams in the order in which the network takes them, on its device and of its type."""
        weight = _weight(self.network)
        if self.network_input is not None:
            moved = {name: stream.to(weight.device, non_blocking=True) for name, stream in streams.items()}
            streams = self.network_input.on(weight.device)(moved)
        return [streams[stream.name].to(weight.dtype) for stream in self.network.streams]

    def logits(self, streams: Mapping[str, Tensor], *, fusions: bool = False) -> dict[str, Tensor]:
        """Logits ``(B, K)`` by row: the network first, then its parts, then, where asked for, every fusion."""
        return self._rows(self.fed(streams), fusions=fusions)

    def by_view(self, streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Probabilities ``(B, V, K)`` by row, or logits where these are averaged; streams ``(B, V, C, T, H, W)``."""
        fed = self.fed(streams)
        B, V = fed[0].shape[:2]
        rows = self._rows([stream.flatten(0, 1) for stream in fed], fusions=True)  # (B*V, K)
        return {row: view_scores(logits, self.rule, self.network.task).view(B, V, -1) for row, logits in rows.items()}

    def averaged(self, by_view: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Probabilities ``(B, K)`` by row, from what :meth:`by_view` gives."""
        return {row: video_scores(scores, self.rule, self.network.task) for row, scores in by_view.items()}

    def videos(self, streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Probabilities ``(B, K)`` by row: the float32 mean over the V views of each video.

        Or, by the rule, those of the mean of their logits. The streams are ``(B, V, C, T, H, W)``.
        """
        return self.averaged(self.by_view(streams))

    def video(self, views: Mapping[str, Tensor], *, batch_views: int) -> dict[str, Tensor]:
        """Probabilities ``(K,)`` by row of one video, on the CPU.

        Args:
            views: its streams ``(V, C, T, H, W)``.
            batch_views: views that go through the network at once.
        """
        V = len(next(iter(views.values())))
        by_row: dict[str, list[Tensor]] = {}
        for start in range(0, V, batch_views):
            some = {name: stream[None, start : start + batch_views] for name, stream in views.items()}
            for row, scores in self.by_view(some).items():
                by_row.setdefault(row, []).append(scores.cpu())  # (1, V, K)
        whole = {row: torch.cat(scores, dim=1) for row, scores in by_row.items()}
        return {row: scores[0] for row, scores in self.averaged(whole).items()}

    def clips(self, streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Probabilities ``(B, K)`` float32 by row, of one clip for each video; streams ``(B, C, T, H, W)``."""
        return {row: self.network.task.probabilities(logits) for row, logits in self.logits(streams).items()}

    def features(self, streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What every stage of every backbone says of the videos ``(B, D)`` float32, in order of depth, and the logits.

        Of maps the mean over places and times is taken; streams are ``(B, C, T, H, W)``.
        """
        assert isinstance(self.network, nn.Module)
        found: dict[str, Tensor] = LayerFeatures(self.network)(*self.fed(streams))
        return found

    def _rows(self, streams: list[Tensor], *, fusions: bool) -> dict[str, Tensor]:
        network = self.network
        if not isinstance(network, HasParts):
            return {MODEL_ROW: network(*streams)}
        parts = network.forward_parts(*streams)
        return {MODEL_ROW: network.fuse(parts), **parts, **(network.all_fusions(parts) if fusions else {})}


def row_logits(network: Network, row: str, *streams: Tensor) -> Tensor:
    """Logits ``(B, K)`` of the network (``model``) or of one of its parts, from streams as it is fed."""
    if row == MODEL_ROW:
        return network(*streams)
    assert isinstance(network, HasParts)
    return network.forward_parts(*streams)[row]


def _weight(network: Network) -> Tensor:
    """A weight that says where the network lies, and in which precision it computes."""
    return next((weight for weight in network.parameters() if weight.is_floating_point()), torch.empty(0))
