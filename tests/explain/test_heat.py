from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from captum.attr import LayerGradCam
from hub_models import CLASSIFIERS, VIDEO, saved
from torch import Tensor, nn

from vidcls.errors import ConfigurationError
from vidcls.explain import METHODS, heat_maps
from vidcls.explain.heat import Method, find_layer
from vidcls.models import (
    TSM,
    Conv3D,
    EarlyFusion,
    LateFusion,
    RecurrentConv,
    SingleFrame,
    SlowFusion,
    TwoStream,
    VideoClassifier,
)
from vidcls.models.input_shapes import input_shapes
from vidcls.types import ClipSettings

CLASSES = ["left", "right", "still"]
CLIP = ClipSettings(num_snippets=2, clip_len=4, flow_len=3)
Build = Callable[[], VideoClassifier]

ENDS_IN_AVERAGE: dict[str, Build] = {
    "single": lambda: SingleFrame(class_names=CLASSES, clip=CLIP, backbone="small"),
    "early": lambda: EarlyFusion(class_names=CLASSES, clip=CLIP, backbone="small"),
    "late": lambda: LateFusion(class_names=CLASSES, clip=CLIP, backbone="small"),
    "slow": lambda: SlowFusion(class_names=CLASSES, clip=CLIP, backbone="small", extents=[2, 2], strides=[1, 1]),
    "tsm": lambda: TSM(class_names=CLASSES, clip=CLIP, backbone="small"),
    "conv3d": lambda: Conv3D(class_names=CLASSES, clip=CLIP, backbone="small_3d"),
    "two_stream": lambda: TwoStream(class_names=CLASSES, clip=CLIP, spatial="small", temporal="small"),
}


def ready(build: Build) -> VideoClassifier:
    torch.manual_seed(0)
    return build().eval()


def streams_of(model: VideoClassifier, side_px: int = 48) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = input_shapes(model.streams, model.clip, side_px, num_clips=1)
    return [torch.randn(shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize("build", ENDS_IN_AVERAGE.values(), ids=ENDS_IN_AVERAGE)
def test_cam_is_grad_cam_up_to_scale_where_the_model_ends_in_an_average(build: Build) -> None:
    model = ready(build)
    streams = streams_of(model)
    for target in range(3):
        cam = heat_maps(model, streams, target, method="cam", signed=True)
        grad_cam = heat_maps(model, streams, target, method="gradcam", signed=True)
        for title, heat in cam.items():
            scale = heat.abs().max() / grad_cam[title].abs().max()
            assert torch.allclose(heat, scale * grad_cam[title], atol=1e-4 * float(heat.abs().max()))


@pytest.mark.parametrize(
    "build",
    [
        lambda: LateFusion(class_names=CLASSES, clip=CLIP, backbone="small", joined_fc=8),
        lambda: RecurrentConv(class_names=CLASSES, clip=CLIP, backbone="small"),
        lambda: SingleFrame(class_names=CLASSES, clip=CLIP, backbone="small", multi_resolution=True),
    ],
)
def test_cam_is_refused_in_one_line_where_no_classifier_sees_an_average(build: Build) -> None:
    model = ready(build)
    with pytest.raises(ConfigurationError, match="use gradcam") as caught:
        heat_maps(model, streams_of(model), 0, method="cam")
    assert "\n" not in str(caught.value)


def test_grad_cam_is_the_gradient_weighted_sum_written_out() -> None:
    model = ready(ENDS_IN_AVERAGE["conv3d"])
    (clip,) = streams_of(model)
    maps: list[Tensor] = []
    model.backbone.stages[model.backbone.last_places].register_forward_hook(lambda _m, _i, output: maps.append(output))
    logits = model(clip)
    gradient = torch.autograd.grad(logits[0, 1], maps[0])[0]  # (2, C, t, h, w): two snippets
    expected = (gradient.mean(dim=(2, 3, 4), keepdim=True) * maps[0]).sum(dim=1)
    size = expected.shape[2:]
    heat = heat_maps(model, [clip], 1, signed=True)["model"]
    coarse = nn.functional.adaptive_avg_pool2d(heat[:, None], size)[:, 0].unflatten(0, (2, -1)).mean(dim=1)
    flat = torch.stack([coarse.flatten(), expected.mean(dim=1).flatten()])
    assert float(torch.corrcoef(flat.detach())[0, 1]) > 0.9


def test_heat_of_a_transformer_lies_on_its_patches() -> None:
    model = ready(lambda: SingleFrame(class_names=CLASSES, clip=ClipSettings(), backbone="vit_b_32"))
    clip = torch.randn(1, 3, 1, 224, 224, generator=torch.Generator().manual_seed(0))
    heat = heat_maps(model, [clip], 0, signed=True)["model"]
    assert heat.shape == (1, 224, 224)
    assert heat.std() > 0


@pytest.mark.parametrize("family", ["vit", "dinov2", "clip", "videomae", "timesformer"])
def test_heat_of_an_encoder_of_transformers_lies_on_its_patches(family: str, tmp_path: Path) -> None:
    name, _ = saved(tmp_path / family, CLASSIFIERS[family])
    kind = Conv3D if family in VIDEO else SingleFrame
    settings = ClipSettings(clip_len=4)
    model = ready(lambda: kind(class_names=CLASSES, clip=settings, backbone=name, weights="DEFAULT"))
    clip = torch.randn(1, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    heat = heat_maps(model, [clip], 0, signed=True)["model"]
    assert heat.shape == (4, 32, 32)
    assert heat[0].std() > 0


def test_heat_of_the_fovea_lies_in_the_centre() -> None:
    model = ready(lambda: SingleFrame(class_names=CLASSES, clip=CLIP, backbone="small", multi_resolution=True))
    heats = heat_maps(model, streams_of(model), 0, signed=True)
    assert set(heats) == {"context", "fovea"}
    outside = heats["fovea"].clone()
    outside[:, 12:36, 12:36] = 0
    assert outside.abs().max() == 0
    assert heats["fovea"].abs().max() > 0
    assert heats["context"][:, :12].abs().max() > 0


def test_each_tower_heats_the_frame_that_it_saw() -> None:
    clip = ClipSettings(clip_len=7)
    model = ready(lambda: LateFusion(class_names=CLASSES, clip=clip, backbone="small", num_towers=3))
    (frames,) = streams_of(model)
    heat = heat_maps(model, [frames], 0, signed=True)["model"]
    # towers at 0, 3 and 6; between them the heat is linear
    assert torch.allclose(heat[1], heat[0] * 2 / 3 + heat[3] / 3, atol=1e-5)
    assert torch.allclose(heat[5], heat[3] / 3 + heat[6] * 2 / 3, atol=1e-5)
    assert not torch.allclose(heat[0], heat[3])


def test_snippets_do_not_run_into_each_other() -> None:
    model = ready(ENDS_IN_AVERAGE["two_stream"])
    rgb, flow = streams_of(model)
    heat = heat_maps(model, [rgb, flow], 0, signed=True)["temporal"]
    assert heat.shape[0] == 6
    assert torch.equal(heat[0], heat[2])  # one map for the three fields of a snippet
    assert torch.equal(heat[3], heat[5])
    assert not torch.equal(heat[2], heat[3])


@pytest.mark.parametrize("method", [method for method in METHODS if method != "cam"])
def test_every_method_heats_what_the_score_depends_on(method: str) -> None:
    """A network that looks at nothing but the brightness of the upper left corner of the last frame."""

    class Corner(SingleFrame):
        def forward(self, rgb: Tensor) -> Tensor:
            seen = self.backbone.stages["block1"](rgb[:, :, -1])
            features = seen[..., :4, :4].mean(dim=(2, 3))
            return self.head[1](nn.functional.pad(features, (0, 64 - 16)))

        @property
        def cam_layers(self):
            from vidcls.models.cam_layer import CamLayer

            return (CamLayer("model", "backbone.stages.block1", classifier=None, frames=(3,)),)

    model = ready(lambda: Corner(class_names=CLASSES, clip=ClipSettings(clip_len=4), backbone="small"))
    (frames,) = streams_of(model)
    heat = next(iter(heat_maps(model, [frames], 1, method=method, signed=True).values())).abs()  # type: ignore[arg-type]
    assert heat.shape == (4, 48, 48)
    if method == "gradcam":
        return  # its maps cover all places of the layer
    assert heat[..., :12, :12].sum() > 0
    assert heat[..., 24:, 24:].sum() == 0
    if method != "occlusion":  # which hides a place in all frames
        assert heat[:3].sum() == 0


@pytest.mark.parametrize("method", ["gradcam", "cam", "occlusion"])
def test_without_signs_nothing_is_below_zero(method: Method) -> None:
    model = ready(ENDS_IN_AVERAGE["single"])
    (signed,) = heat_maps(model, streams_of(model), 0, method=method, signed=True).values()
    (heat,) = heat_maps(model, streams_of(model), 0, method=method).values()
    assert signed.min() < 0
    assert heat.min() == 0
    if method == "gradcam":  # its coarse map is clamped, see test_grad_cam_references
        assert (heat >= signed.clamp_min(0)).all()
    else:
        assert torch.equal(heat, signed.clamp_min(0))


def test_a_layer_is_found_by_its_title_or_its_name_in_the_model() -> None:
    model = ready(ENDS_IN_AVERAGE["two_stream"])
    assert find_layer(model, "temporal") == model.cam_layers[1]
    named = find_layer(model, "nets.temporal.stages.block2")
    assert (named.stream, named.part) == ("flow", "temporal")
    heat = heat_maps(model, streams_of(model), 0, layers=[named])
    assert next(iter(heat.values())).shape == (6, 48, 48)
    with pytest.raises(ConfigurationError, match=r"nets\.temporal\.stages\.block2"):
        find_layer(model, "nets.temporal.block2")


def test_frozen_networks_have_heat_and_stay_frozen() -> None:
    model = ready(ENDS_IN_AVERAGE["single"]).requires_grad_(False)
    assert heat_maps(model, streams_of(model), 0, signed=True)["model"].abs().max() > 0
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in model.parameters())


def test_no_hook_is_left_on_the_model() -> None:
    model = ready(ENDS_IN_AVERAGE["single"])
    heat_maps(model, streams_of(model), 0)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_gradcam_of_captum_on_the_layer_itself_is_the_same() -> None:
    model = ready(ENDS_IN_AVERAGE["early"])
    (clip,) = streams_of(model)
    layer = model.get_submodule(model.cam_layers[0].module)
    own = LayerGradCam(model, layer).attribute(clip, target=2)  # (2, 1, h, w): one for each snippet
    enlarged = nn.functional.interpolate(own, size=(48, 48), mode="bilinear")[:, 0]
    heat = heat_maps(model, [clip], 2, signed=True)["model"]
    assert torch.allclose(heat[0], enlarged[0], atol=1e-6)
    assert torch.allclose(heat[7], enlarged[1], atol=1e-6)
