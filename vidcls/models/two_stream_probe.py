"""TwoStreamProbe: heads on the features of two frozen networks, one on frames and one on optical flow."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.layers import Backbone
from vidcls.layers.token_encoder import probe_levels
from vidcls.layers.weight_init import is_checkpoint
from vidcls.models.checkpoint import read_checkpoint
from vidcls.models.probe import Probe
from vidcls.models.stream_encoder import network_named
from vidcls.types import FLOW, RGB, Stream

FlowAs = Literal["pictures", "stacks"]
TEMPORAL_PREFIX = "nets.temporal."  # of the temporal stream, in the state of a two-stream model


class TwoStreamProbe(Probe):
    """A :class:`Probe` whose heads may also see features of optical flow, as levels that are called ``flow.NAME``.

    Their network is one for pictures, such as one from ImageNet, to which the motion of each snippet is shown as a
    picture: to the right, downwards and speed as three channels. Or it is the temporal stream of a trained two-stream
    model, which sees stacks of fields, as in Simonyan and Zisserman: Two-Stream Convolutional Networks for Action
    Recognition in Videos, NIPS 2014.

    Args:
        flow_backbone: the network on flow, by name.
        flow_weights: its weights: as ``weights``, or the checkpoint of a two-stream model for its temporal stream.
        flow_as: ``pictures``, one of the mean of the fields of a snippet, or ``stacks`` of these fields along the
            channels.
        flow_bound_px: motion that is as bright as it gets in a picture, in pixels per frame after the division by
            ``flow_std_px``.
        flow_levels: the stages of that network whose output is used; left out: of pictures the deepest with larger maps
            than the last, as what they show is coarse; else as ``levels``.
        grid: see :class:`Probe`; of both networks.
        heads: see :class:`Probe`.
        **others: see :class:`Probe`.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB, FLOW)
    initial_weights: ClassVar[tuple[str, ...]] = ("weights", "flow_weights")

    def __init__(
        self,
        *,
        flow_backbone: str = "efficientnet_lite0",
        flow_weights: str | None = None,
        flow_as: FlowAs = "pictures",
        flow_bound_px: float = 2.0,
        flow_levels: list[str] | None = None,
        grid: tuple[int, int] = (2, 3),
        heads: dict[str, Any] | None = None,
        **others: Any,
    ) -> None:
        super().__init__(grid=grid, **others)
        if flow_bound_px <= 0:
            raise ValueError(f"flow_bound_px must be above 0, got {flow_bound_px}")
        self.flow_as: FlowAs = flow_as
        num_channels = 3 if flow_as == "pictures" else 2 * self.clip.flow_len
        self.flow_backbone = _flow_network(flow_backbone, flow_weights, num_channels)
        if flow_as == "stacks" and self.flow_backbone.input_len is not None:
            raise ConfigurationError(f"flow_as stacks: {flow_backbone} is a 3D network, which sees no stacks")
        if flow_levels is None and flow_as == "pictures":
            flow_levels = [*probe_levels(self.flow_backbone)[:1]]
        S = self.clip.num_snippets
        self.add_encoder(
            FLOW, self.flow_backbone, flow_levels, grid, num_snippets=S, fed_as=flow_as, bound_px=flow_bound_px
        )
        self.finish(heads)

    @property
    def receptive_field(self) -> int:
        """A field leads from one frame to the next; a stack of them through more."""
        return max(super().receptive_field, self.clip.flow_len + 1)


def _flow_network(name: str, weights: str | None, in_channels: int) -> Backbone:
    if weights is None or not is_checkpoint(weights):
        return network_named(name, in_channels, weights=weights)
    facts = read_checkpoint(weights)
    state = {
        key.removeprefix(TEMPORAL_PREFIX): value
        for key, value in facts.state_dict.items()
        if key.startswith(TEMPORAL_PREFIX)
    }
    if not state:
        return network_named(name, in_channels, weights=weights)
    backbone = network_named(name, in_channels)
    try:
        backbone.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise CheckpointError(f"{weights}: its temporal stream is not {name} ({reason})") from error
    return backbone
