"""A classifier and its input settings -> one graph: views as they are loaded in, the scores of every row out."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vidcls.clips.settings import InputSettings
from vidcls.errors import ExportError, first_line
from vidcls.inference import NetworkInput, Scorer
from vidcls.types import sees

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from vidcls.models import VideoClassifier

EXAMPLE_VIEWS = 3
"""B of the clips that a graph is traced with: of one view torch takes B for a constant."""


class ScoringGraph(nn.Module):
    """A network with its input stage and its answer: what a test does to the views of a video, but for their mean.

    ::

        rgb  (B, 3, T, H, W) uint8       --> normalise --> network --> {"model": (B, K), "spatial": (B, K), ...}
        flow (B, 2, F, H, W) float32 px  --> normalise -->

    B counts views; T, F, H and W are fixed. The outputs are what :func:`vidcls.inference.view_scores.view_scores`
    gives: probabilities, or logits where these are averaged over views. The network should be a copy of its own, for
    it is put into evaluation mode, frozen and cast.

    Args:
        network: a trained classifier.
        settings: how a video becomes its input.
        dtype: what the network computes in; the input stage and the answer stay float32.
    """

    def __init__(
        self, network: VideoClassifier, settings: InputSettings, *, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        if sees(network.streams, "audio"):
            raise ExportError(
                f"{type(network).__name__} hears, and exported files have no sound: use the checkpoint, or export a "
                "model of frames and flow alone"
            )
        self.network = network.to(dtype).eval().requires_grad_(False)
        settings = replace(settings, streams=network.streams)  # in the order in which the network takes them
        self.network_input = NetworkInput(settings, dtype=dtype)
        self.settings = settings
        self.scorer = Scorer(self.network, settings.score)
        self.stream_names = tuple(stream.name for stream in network.streams)
        with torch.inference_mode():
            self.row_names = tuple(self(*self.example(num_views=1)))

    def forward(self, *streams: Tensor) -> dict[str, Tensor]:
        """Streams in the order of ``stream_names`` -> scores ``(B, K)`` float32 by row, ``model`` first."""
        loaded = dict(zip(self.stream_names, streams, strict=True))
        one_view = {name: stream[:, None] for name, stream in self.network_input.normalised(loaded).items()}
        return {row: scores[:, 0] for row, scores in self.scorer.by_view(one_view).items()}  # (B, 1, K) each

    def example(self, *, num_views: int = EXAMPLE_VIEWS, seed: int = 0) -> tuple[Tensor, ...]:
        """Random views as they are loaded, in the order of ``stream_names``."""
        return example_of(self.settings, num_views=num_views, seed=seed)

    @property
    def num_bytes(self) -> int:
        """Of all weights."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.state_dict().values())


def exported_program(graph: ScoringGraph) -> ExportedProgram:
    """The graph as torch.export has it, for any number of views.

    Raises:
        ExportError: the network does what a graph cannot hold, such as a branch on the values of a tensor, or takes
            the number of views for a constant.
    """
    views = torch.export.Dim("views", min=1)
    example = graph.example()
    try:
        with warnings.catch_warnings(), torch.enable_grad():  # without gradients some go through clips one by one
            warnings.filterwarnings("ignore", message=".*were assigned during export")  # flat weights of a GRU, alike
            return torch.export.export(graph, example, dynamic_shapes=(tuple({0: views} for _ in example),))
    except (RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise ExportError(
            f"{type(graph.network).__name__} cannot be exported ({first_line(error)}): its forward must be one graph "
            "for any number of clips, without branches on values or len() of tensors"
        ) from error


def example_of(settings: InputSettings, *, num_views: int, seed: int = 0) -> tuple[Tensor, ...]:
    """Random views ``(V, C, T, H, W)`` as they are loaded, one for each stream: RGB uint8, flow float32 px."""
    generator = torch.Generator().manual_seed(seed)
    found: list[Tensor] = []
    for stream in settings.streams:
        shape = (num_views, stream.channels, stream.length(settings.clip), *settings.transform.crop_size)
        if stream.kind == "flow":
            found.append(2 * torch.randn(shape, generator=generator))
        else:
            found.append(torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8))
    return tuple(found)
