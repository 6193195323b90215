from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vidcls.explain.kernels import (
    FirstKernels,
    first_kernels,
    handmade_kernels,
    kernel_pictures,
    kernels_figure,
    write_kernels,
)
from vidcls.models import Conv3D, EarlyFusion, SingleFrame, SlowFusion, TwoStream
from vidcls.types import ClipSettings

CLASSES = ["a", "b"]


def test_kernels_of_an_image_network_are_those_of_its_first_convolution() -> None:
    model = SingleFrame(class_names=CLASSES, clip=ClipSettings(), backbone="small")
    (kernels,) = first_kernels(model)
    assert (kernels.title, kernels.kind, kernels.weights.shape) == ("first layer", "rgb", (16, 3, 1, 3, 3))
    assert torch.equal(kernels.weights[:, :, 0], model.backbone.stem.weight)


def test_stacked_frames_and_fields_are_taken_apart_by_time() -> None:
    early = EarlyFusion(class_names=CLASSES, clip=ClipSettings(clip_len=5), backbone="small")
    (kernels,) = first_kernels(early)
    assert kernels.weights.shape == (16, 3, 5, 3, 3)
    assert torch.equal(kernels.weights[:, 1, 2], early.backbone.stem.weight[:, 2 * 3 + 1])  # green of the third frame
    streams = TwoStream(class_names=CLASSES, clip=ClipSettings(flow_len=4), spatial="small", temporal="small")
    spatial, temporal = first_kernels(streams)
    assert (spatial.title, temporal.title) == ("spatial", "temporal")
    assert (temporal.kind, temporal.weights.shape) == ("flow", (16, 2, 4, 3, 3))
    assert torch.equal(temporal.weights[:, 1, 3], streams.nets["temporal"].stem.weight[:, 7])  # y of the fourth field


def test_kernels_in_space_and_time_are_film_strips() -> None:
    conv3d = Conv3D(class_names=CLASSES, clip=ClipSettings(clip_len=8), backbone="small_3d")
    (kernels,) = first_kernels(conv3d)
    num, _, length, high, wide = kernels.weights.shape
    assert length == 3
    assert kernel_pictures(kernels).shape == (num, 3, high, length * wide)
    slow = SlowFusion(
        class_names=CLASSES, clip=ClipSettings(clip_len=8), backbone="small", extents=[4, 2], strides=[2, 2]
    )
    assert first_kernels(slow)[0].weights.shape == (16, 3, 4, 3, 3)


def test_no_weight_is_mid_grey_and_the_largest_is_black_or_white() -> None:
    weights = torch.zeros(1, 2, 2, 1, 1)
    weights[0, 1, 0] = -4.0  # y of the first field
    weights[0, 0, 1] = 2.0  # x of the second
    picture = kernel_pictures(FirstKernels("temporal", "flow", weights))
    assert picture.shape == (1, 3, 2, 2)
    assert picture[0, 0].tolist() == [[0.5, 0.75], [0.0, 0.5]]  # x above y, fields from left to right


def test_handmade_kernels_find_what_they_are_named_after() -> None:
    kernels = handmade_kernels(11)
    step = torch.zeros(11, 11)
    step[:, 6:] = 1  # brighter to the right
    response = {name: abs(float((kernel * step).sum())) for name, kernel in kernels.items() if "edge" in name}
    assert max(response, key=lambda name: response[name]) == "edge 0°"
    assert response["edge 90°"] < 1e-4
    assert float(kernels["blob"].argmax()) == 60  # the middle
    assert len(kernels) == 4 + 1 + 8


@pytest.mark.parametrize("model_class", [SingleFrame, TwoStream])
def test_the_picture_has_the_weights_beside_it(model_class: type, tmp_path: Path) -> None:
    backbones = {"backbone": "small"} if model_class is SingleFrame else {"spatial": "small", "temporal": "small"}
    model = model_class(class_names=CLASSES, clip=ClipSettings(flow_len=2), **backbones)
    picture, numbers = write_kernels(model, tmp_path / "kernels.png")
    assert picture.stat().st_size > 5000
    stored = np.load(numbers)
    for kernels in first_kernels(model):
        assert np.array_equal(stored[kernels.title], kernels.weights.numpy())


def test_the_picture_says_what_to_look_for_in_its_networks() -> None:
    large, flow = torch.randn(4, 3, 1, 11, 11), torch.randn(4, 2, 2, 3, 3)
    words = " ".join(kernels_figure([FirstKernels("first layer", "rgb", large)]).get_suptitle().split())
    assert words.startswith("Look for order: edges")
    assert "hue" in words
    assert "flow" not in words
    assert "too small" not in words
    words = " ".join(kernels_figure([FirstKernels("temporal", "flow", flow)]).get_suptitle().split())
    assert "motion in one direction" in words
    assert "3x3 and less are too small" in words
