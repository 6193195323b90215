"""A stream of clips -> tokens, by one frozen network of a probe; and what rebuilds it in another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from vidcls.hub_models import settings_that_travel
from vidcls.layers import Backbone, build_backbone, build_backbone_3d, is_3d
from vidcls.layers.token_encoder import TokenEncoder
from vidcls.remote import local_copy
from vidcls.remote.places import Place

FedAs = Literal["frames", "pictures", "stacks"]
"""``frames`` as they are; flow as ``pictures``, one of each snippet, or in ``stacks`` of fields along the channels."""
Shape = tuple[int, int, int]


class StreamEncoder(nn.Module):
    """Clips of one stream, as a model is fed, -> tokens of the levels of a backbone.

    Args:
        encoder: the backbone and its levels.
        fed_as: what the backbone sees of a clip.
        bound_px: motion that is as bright as it gets in a picture of flow.
    """

    def __init__(self, encoder: TokenEncoder, fed_as: FedAs = "frames", bound_px: float = 1.0) -> None:
        super().__init__()
        self.encoder = encoder
        self.fed_as: FedAs = fed_as
        self.bound_px = bound_px

    @property
    def network(self) -> Backbone:
        """The network, whose weights tell its tokens from those of others."""
        return self.encoder.backbone

    def forward(self, clips: Tensor) -> dict[str, Tensor]:
        """Normalised clips ``(B, C, S*T, H, W)`` -> tokens ``(B, T', P, D)`` by level."""
        return self.encoder(self.fed(clips))

    def fed(self, clips: Tensor) -> Tensor:
        """Clips as the encoder takes them: flow ``(B, 2, S*F, H, W)`` as pictures ``(B, 3, S, H, W)``, or as it is."""
        if self.fed_as != "pictures":
            return clips
        by_snippet = clips.unflatten(2, (self.encoder.num_snippets, -1))  # (B, 2, S, F, H, W)
        return flow_pictures(by_snippet.mean(dim=3), self.bound_px)

    def shapes(self, num_channels: int, num_frames: int) -> dict[str, Shape]:
        """(T, P, D) by level of clips of so many channels and frames."""
        clip = torch.empty(1, num_channels, num_frames, *self.network.input_px, device="meta")
        return self.encoder.shapes(self.fed(clip).shape[1:])


def flow_pictures(flow: Tensor, bound_px: float) -> Tensor:
    """Flow ``(B, 2, T, H, W)`` -> pictures ``(B, 3, T, H, W)`` in -1 to 1: x, y, and the speed less its middle."""
    scaled = flow / bound_px
    speed = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return torch.cat([scaled, 2 * speed - 1], dim=1).clamp(-1, 1)


@dataclass(frozen=True)
class EncoderPlan:
    """What builds a :class:`StreamEncoder` again in another process; small, and can be pickled.

    Args:
        backbone: its name.
        in_channels: that it sees.
        levels: of its tokens.
        grid: of its places.
        num_snippets: S.
        fed_as: what it sees of a clip.
        bound_px: of pictures of flow.
        state_file: the file of its weights, of this machine or at an address.
        travelling: what the backbone is built from that its name does not say; see :class:`Backbone`.
    """

    backbone: str
    in_channels: int
    levels: tuple[str, ...]
    grid: tuple[int, int]
    num_snippets: int
    fed_as: FedAs
    bound_px: float
    state_file: Place
    travelling: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def build(self) -> StreamEncoder:
        """The encoder with its weights, in evaluation mode."""
        travelling = {name: dict(settings) for name, settings in self.travelling.items()}
        with settings_that_travel(travelling), torch.random.fork_rng(devices=[]):  # weights are drawn, and replaced
            network = network_named(self.backbone, self.in_channels)
        with local_copy(self.state_file) as file:
            state: Mapping[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
            network.load_state_dict(state)
        encoder = TokenEncoder(network, self.levels, self.grid, self.num_snippets)
        return StreamEncoder(encoder, self.fed_as, self.bound_px).requires_grad_(False).eval()


def network_named(name: str, in_channels: int = 3, *, weights: str | None = None) -> Backbone:
    """The 2D or 3D network of that name."""
    return (build_backbone_3d if is_3d(name) else build_backbone)(name, in_channels, weights=weights)
