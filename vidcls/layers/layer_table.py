"""A network and the shapes of its input -> one row a layer: kernel, stride, padding, output, parameters, work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

FLOPS_PER_MULTIPLY_ADD = 2


@dataclass(frozen=True)
class LayerRow:
    """One layer, a module without modules inside it.

    Args:
        name: its place in the network, such as ``backbone.stages.block1.0``.
        kind: its class, such as ``Conv2d``.
        kernel: extents of the kernel over (height, width) or (time, height, width); None where there is none.
        stride: steps of the kernel.
        padding: borders added on each side, or torch's word for them.
        output_shape: of its last call, without the first axis.
        num_calls: how often it is applied for one input.
        num_parameters: trained and frozen ones.
        num_multiply_adds: for the whole input, over all calls and all of its first axis (frames of a clip, views).
    """

    name: str
    kind: str
    kernel: tuple[int, ...] | None
    stride: tuple[int, ...] | None
    padding: tuple[int, ...] | str | None
    output_shape: tuple[int, ...]
    num_calls: int
    num_parameters: int
    num_multiply_adds: int


def layer_table(network: nn.Module, *input_shapes: Sequence[int]) -> list[LayerRow]:
    """The layers in the order in which they are first applied; nothing is computed and the network is not changed.

    Every layer that is applied has a row, also one without parameters (pools, activations). Work that is done outside
    of a layer, such as the products of an attention, is in :func:`num_multiply_adds` only.

    Args:
        network: any module; evaluation mode is used.
        input_shapes: the shape of each of its inputs, B included.
    """
    order: list[str] = []
    shapes: dict[str, tuple[int, ...]] = {}
    calls: dict[str, int] = defaultdict(int)
    work: dict[str, int] = defaultdict(int)
    leaves = {name: module for name, module in network.named_modules() if not list(module.children())}
    counter = FlopCounterMode(display=False)
    before: dict[str, int] = {}

    def enter(name: str) -> None:
        if name not in calls:
            order.append(name)
        calls[name] += 1
        before[name] = counter.get_total_flops()

    def leave(name: str, output: object) -> None:
        work[name] += counter.get_total_flops() - before[name]
        first = output[0] if isinstance(output, tuple) else output
        assert isinstance(first, Tensor)
        shapes[name] = tuple(first.shape[1:])

    hooks = []
    for name, module in leaves.items():
        hooks.append(module.register_forward_pre_hook(lambda _m, _i, name=name: enter(name)))
        hooks.append(module.register_forward_hook(lambda _m, _i, output, name=name: leave(name, output)))
    try:
        with counter:
            run_on_meta(network, *input_shapes)
    finally:
        for hook in hooks:
            hook.remove()
    return [
        LayerRow(
            name=name,
            kind=type(leaves[name]).__name__,
            kernel=_extent(leaves[name], "kernel_size"),
            stride=_extent(leaves[name], "stride"),
            padding=_padding(leaves[name]),
            output_shape=shapes[name],
            num_calls=calls[name],
            num_parameters=sum(parameter.numel() for parameter in leaves[name].parameters()),
            num_multiply_adds=work[name] // FLOPS_PER_MULTIPLY_ADD,
        )
        for name in order
    ]


def num_multiply_adds(network: nn.Module, *input_shapes: Sequence[int]) -> int:
    """Multiply-adds of convolutions and matrix products for one call; nothing is computed."""
    with FlopCounterMode(display=False) as counter:
        run_on_meta(network, *input_shapes)
    return counter.get_total_flops() // FLOPS_PER_MULTIPLY_ADD


def num_parameters(network: nn.Module) -> int:
    """Trained and frozen ones."""
    return sum(parameter.numel() for parameter in network.parameters())


def run_on_meta(network: nn.Module, *input_shapes: Sequence[int]) -> object:
    """What the network gives for inputs of these shapes, as tensors without values; the network stays as it is."""
    state = {name: tensor.to("meta") for name, tensor in network.state_dict(keep_vars=True).items()}
    state |= {name: buffer.to("meta") for name, buffer in network.named_buffers()}  # those that are not saved, too
    inputs = tuple(torch.empty(tuple(shape), device="meta") for shape in input_shapes)
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.no_grad():
            return torch.func.functional_call(network, state, inputs)
    finally:
        for module, mode in modes.items():
            module.training = mode


def _extent(layer: nn.Module, attribute: str) -> tuple[int, ...] | None:
    value = getattr(layer, attribute, None)
    if value is None or isinstance(layer, nn.LocalResponseNorm):
        return None
    num_axes = 3 if "3d" in type(layer).__name__ else 2
    return (int(value),) * num_axes if isinstance(value, int) else tuple(int(v) for v in value)


def _padding(layer: nn.Module) -> tuple[int, ...] | str | None:
    value = getattr(layer, "padding", None)
    return value if isinstance(value, str) else _extent(layer, "padding")
