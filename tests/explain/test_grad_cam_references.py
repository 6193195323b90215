"""Grad-CAM against the paper's equations, and against numbers of pytorch-grad-cam.

Numbers and not the package: it requires opencv-python-headless, whose files are those of opencv-python.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from vidcls.explain import heat_maps
from vidcls.models import Conv3D, LateFusion, SingleFrame, TwoStream, VideoClassifier
from vidcls.models.input_shapes import input_shapes
from vidcls.types import ClipSettings

CLASSES = ["left", "right", "still"]

# pytorch-grad-cam 1.5.7: GradCAM(...)(frame, [ClassifierOutputTarget(1)])[0, 3::6, 3::6], from 0 to 1
FRAME_48_PX = [
    [0, 0.4594, 0.3759, 0, 0, 0, 0.0310, 0.0708],
    [0, 0.1436, 0.1175, 0, 0, 0, 0.0097, 0.0221],
    [0, 0, 0, 0, 0, 0, 0.1575, 0.3600],
    [0, 0, 0, 0, 0, 0, 0.3755, 0.8584],
    [0, 0, 0, 0, 0, 0, 0.4375, 1.0],
    [0, 0, 0.1944, 0.3610, 0.0278, 0, 0.1383, 0.3162],
    [0, 0, 0.1590, 0.2954, 0.0227, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0, 0],
]
# pytorch-grad-cam 1.5.7: GradCAM.get_cam_image, which it clamps next. It then enlarges 3D maps by cubic splines.
CLIP_MAPS = [
    [
        [0.0148, -0.0206, -0.0299, -0.0376],
        [0.0242, 0.0342, 0.0104, -0.0606],
        [0.0814, -0.0234, 0.0248, -0.0522],
        [0.0340, 0.1348, 0.1193, 0.1015],
    ],
    [
        [-0.0047, -0.0398, -0.1418, -0.0490],
        [0.0226, 0.0081, -0.0665, -0.0620],
        [0.0382, -0.0028, -0.0046, -0.0492],
        [0.0411, 0.0312, 0.0186, 0.1037],
    ],
]


def written(model: VideoClassifier) -> VideoClassifier:
    """Weights that are the same everywhere and with every version of torch."""
    rng = np.random.RandomState(0)
    with torch.no_grad():
        for parameter in model.parameters():
            values = rng.standard_normal(tuple(parameter.shape))
            scaled = values * (2 / parameter[0].numel()) ** 0.5 if parameter.ndim > 1 else 1 + 0.2 * values
            parameter.copy_(torch.from_numpy(scaled))
    return model.eval()


def noise(shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.random.RandomState(1).standard_normal(shape)).float()


def test_an_image_network_has_the_heat_of_pytorch_grad_cam() -> None:
    model = written(SingleFrame(class_names=CLASSES, clip=ClipSettings(), backbone="small"))
    heat = heat_maps(model, [noise((1, 3, 1, 48, 48))], 1)["model"][0]
    assert torch.allclose((heat / heat.max())[3::6, 3::6], torch.tensor(FRAME_48_PX), atol=2e-4)


def test_a_3d_network_has_the_heat_of_pytorch_grad_cam() -> None:
    model = written(Conv3D(class_names=CLASSES, clip=ClipSettings(clip_len=8), backbone="small_3d"))
    heat = heat_maps(model, [noise((1, 3, 8, 32, 32))], 2)["model"]
    maps = torch.tensor(CLIP_MAPS).clamp_min(0)[None, None]  # (1, 1, 2, 4, 4)
    assert torch.allclose(heat, F.interpolate(maps, size=(8, 32, 32), mode="trilinear")[0, 0], atol=1e-4)


@pytest.mark.parametrize(
    "build",
    [
        lambda clip: SingleFrame(class_names=CLASSES, clip=clip, backbone="small"),
        lambda clip: LateFusion(class_names=CLASSES, clip=clip, backbone="small", num_towers=4),
        lambda clip: Conv3D(class_names=CLASSES, clip=clip, backbone="small_3d"),
        lambda clip: TwoStream(class_names=CLASSES, clip=clip, spatial="small", temporal="small"),
    ],
    ids=["single_frame", "late_fusion", "conv3d", "two_stream"],
)
def test_the_weighted_sum_of_maps_is_clamped_before_it_is_enlarged(
    build: Callable[[ClipSettings], VideoClassifier],
) -> None:
    """Equations 1 and 2 of Selvaraju et al. 2017, written out."""
    model = written(build(ClipSettings(clip_len=4, flow_len=3)))
    streams = [noise(shape) for shape in input_shapes(model.streams, model.clip, 32, num_clips=1)]
    num_negative = 0
    for target in range(3):
        heats = heat_maps(model, streams, target)
        for layer in model.cam_layers:
            kept: list[Tensor] = []
            hook = model.get_submodule(layer.module).register_forward_hook(
                lambda *given, kept=kept: kept.append(given[2])
            )
            score = model(*streams) if layer.part is None else model.forward_parts(*streams)[layer.part]
            hook.remove()
            (maps,) = kept  # (N, C, [t,] h, w)
            (gradient,) = torch.autograd.grad(score[0, target], maps)
            places = tuple(range(2, maps.ndim))
            weighted = (gradient.mean(dim=places, keepdim=True) * maps).sum(dim=1)  # (N, [t,] h, w)
            num_negative += int((weighted < 0).sum())
            relu = (weighted if weighted.ndim == 4 else weighted[None]).clamp_min(0)[:, None]  # (1, 1, t, h, w)
            size = streams[[stream.name for stream in model.streams].index(layer.stream)].shape[2:]
            expected = F.interpolate(relu, size=size, mode="trilinear")
            assert torch.allclose(heats[layer.title], expected[0, 0].detach(), atol=1e-6), layer.title
    assert num_negative > 0
