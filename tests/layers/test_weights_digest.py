"""Weights are told apart by every value, name, shape and type."""

from __future__ import annotations

import torch
from torch import nn

from vidcls.layers import build_backbone
from vidcls.layers.weights_digest import weights_digest


def test_the_same_weights_have_one_digest_and_all_others_another() -> None:
    torch.manual_seed(0)
    network = build_backbone("small")
    copy = build_backbone("small")
    assert weights_digest(network) != weights_digest(copy)
    copy.load_state_dict(network.state_dict())
    assert weights_digest(network) == weights_digest(copy.to(memory_format=torch.channels_last).eval())
    copy.stages["block1"].get_submodule("0").weight.data[0, 0, 0, 0] += 1e-6  # type: ignore[union-attr,operator]
    assert weights_digest(network) != weights_digest(copy)


def test_names_shapes_and_types_count() -> None:
    def of(**weights: torch.Tensor) -> str:
        network = nn.Module()
        for name, tensor in weights.items():
            network.register_buffer(name, tensor)
        return weights_digest(network)

    digests = [
        of(a=torch.zeros(4)),
        of(b=torch.zeros(4)),
        of(a=torch.zeros(2, 2)),
        of(a=torch.zeros(4, dtype=torch.int32)),
        of(a=torch.zeros(4), b=torch.tensor(0)),
    ]
    assert len(set(digests)) == len(digests)
    assert of(a=torch.zeros(4)) == "7bac1524d16f129b9a7ee7b7840fdd40dcadb6fab38035e950be555da806a851"
