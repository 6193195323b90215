"""Files of MoViNet-pytorch: their names and shapes, written out here, and ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vidcls.errors import CheckpointError
from vidcls.models import MoViNet
from vidcls.types import ClipSettings

CLIP = ClipSettings(clip_len=8)
Named = Iterator[tuple[str, tuple[int, ...]]]
# A0: for each block of b0 to b4 its channels, and of its layers those inside, the kernel and the stride.
A0 = [
    (8, [(24, (1, 5, 5), 2)]),
    (32, [(80, (3, 3, 3), 2), (80, (3, 3, 3), 1), (80, (3, 3, 3), 1)]),
    (56, [(184, (5, 3, 3), 2), (112, (3, 3, 3), 1), (184, (3, 3, 3), 1)]),
    (56, [(184, (5, 3, 3), 1), (184, (3, 3, 3), 1), (184, (3, 3, 3), 1), (184, (3, 3, 3), 1)]),
    (104, [(384, (5, 3, 3), 2), (280, (1, 5, 5), 1), (280, (1, 5, 5), 1), (344, (1, 5, 5), 1)]),
]
SQUEEZED = {  # by channels: of a 3D network, and of a stream network, which has twice as many inputs
    24: (8, 16),
    80: (24, 40),
    112: (32, 56),
    184: (48, 96),
    384: (96, 192),
    280: (72, 144),
    344: (88, 176),
}


def convolution(
    place: str, c_out: int, c_in: int, kernel: tuple[int, int, int], *, streams: bool, has_norm: bool = True
) -> Named:
    kernels = {"conv_1": kernel} if not streams else {"conv_1": kernel[1:]}
    if streams and kernel[0] > 1:
        kernels["conv_2"] = (kernel[0], 1)
    for name, size in kernels.items():
        at = f"{place}.{name}"
        yield f"{at}.{'conv2d' if streams else 'conv3d'}.weight", (c_out, c_in, *size)
        if not has_norm:
            yield f"{at}.{'conv2d' if streams else 'conv3d'}.bias", (c_out,)
            continue
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{at}.norm.{part}", (c_out,)
        yield f"{at}.norm.num_batches_tracked", ()


def of_a0(num_classes: int, *, streams: bool) -> dict[str, tuple[int, ...]]:
    def flat(place: str, c_out: int, c_in: int, *, has_norm: bool = True) -> Named:
        return convolution(place, c_out, c_in, (1, 1, 1), streams=streams, has_norm=has_norm)

    found = [*convolution("conv1", 8, 3, (1, 3, 3), streams=streams)]
    c_in = 8
    for i, (c_out, layers) in enumerate(A0):
        for j, (inner, kernel, stride) in enumerate(layers):
            at = f"blocks.b{i}_l{j}"
            found += [(f"{at}.alpha", ()), *flat(f"{at}.expand", inner, c_in)]
            found += convolution(f"{at}.deep", inner, 1, kernel, streams=streams)
            squeezed, inputs = SQUEEZED[inner][streams], 2 * inner if streams else inner
            found += [*flat(f"{at}.se.fc1", squeezed, inputs, has_norm=False)]
            found += [*flat(f"{at}.se.fc2", inner, squeezed, has_norm=False), *flat(f"{at}.project", c_out, inner)]
            if stride == 2:
                found += flat(f"{at}.res.1", c_out, c_in)
            c_in = c_out
    found += [*flat("conv7", 480, 104), *flat("classifier.0", 2048, 480, has_norm=False)]
    return dict([*found, *flat("classifier.3", num_classes, 2048, has_norm=False)])


def written(path: Path, num_classes: int, *, streams: bool) -> tuple[str, dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    state = {
        name: torch.tensor(3) if name.endswith("tracked") else torch.rand(shape, generator=generator)
        for name, shape in of_a0(num_classes, streams=streams).items()
    }
    torch.save(state, path)
    return str(path), state


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("num_classes", [5, 3])
def test_a_file_is_loaded_whole_or_but_for_its_classifier(tmp_path: Path, streams: bool, num_classes: int) -> None:
    path, state = written(tmp_path / "modelA0_statedict_v3", 5, streams=streams)
    names = [f"class{k}" for k in range(num_classes)]
    model = MoViNet(class_names=names, clip=CLIP, form="a0", causal=streams, weights=path)
    own = {name: value for name, value in model.state_dict().items() if name.startswith(("backbone.", "head."))}
    kind = "conv2d" if streams else "conv3d"
    head = {f"classifier.3.conv_1.{kind}.{part}" for part in ("weight", "bias")}
    sums = sorted(float(value.double().sum()) for name, value in own.items() if not name.startswith("head."))
    expected = sorted(float(value.double().sum()) for name, value in state.items() if name not in head)
    assert len(own) == len(state)
    assert sums == pytest.approx(expected)  # every tensor is there once
    depthwise = own["backbone.stages.block4.0.depthwise.conv.weight"]
    assert torch.equal(depthwise.flatten(), state[f"blocks.b2_l0.deep.conv_1.{kind}.weight"].flatten())
    if streams:
        time = own["backbone.stages.block4.0.depthwise.time.conv.weight"]
        assert time.shape == (184, 1, 5, 1, 1)
        assert torch.equal(time.flatten(), state["blocks.b2_l0.deep.conv_2.conv2d.weight"].flatten())
    shortcut = own["backbone.stages.block6.0.downsample.conv.weight"]
    assert torch.equal(shortcut.flatten(), state[f"blocks.b4_l0.res.1.conv_1.{kind}.weight"].flatten())
    excite = own["backbone.stages.block2.0.excitation.excite.bias"]
    assert torch.equal(excite, state[f"blocks.b0_l0.se.fc2.conv_1.{kind}.bias"])
    assert torch.equal(own["backbone.stages.block5.3.scale"], state["blocks.b3_l3.alpha"])
    same = torch.equal(own["head.1.bias"], state[f"classifier.3.conv_1.{kind}.bias"])
    assert same is (num_classes == 5)
    assert model.published is not None
    assert (model.published.rgb_mean, model.published.rgb_std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_a_file_of_the_other_kind_or_another_form_is_refused_with_what_to_set(tmp_path: Path) -> None:
    path, _ = written(tmp_path / "a", 5, streams=True)
    with pytest.raises(CheckpointError, match=r"files of stream networks need causal true") as caught:
        MoViNet(class_names=["a", "b"], clip=CLIP, form="a0", weights=path)
    assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match="forms a0 to a5 have their own sizes"):
        MoViNet(class_names=["a", "b"], clip=CLIP, form="a1", causal=True, weights=path)
