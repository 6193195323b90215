"""A model and one clip -> heat over its places and times, by class activation maps or by attribution to the input."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidcls.errors import ConfigurationError
from vidcls.explain.maps import in_order_of_time, tapped
from vidcls.inference.scorer import row_logits
from vidcls.models import VideoClassifier
from vidcls.models.cam_layer import CamLayer
from vidcls.types import MODEL_ROW

Method = Literal["gradcam", "cam", "saliency", "integrated_gradients", "occlusion"]
METHODS: tuple[Method, ...] = get_args(Method)
LAYER_METHODS: tuple[Method, ...] = ("gradcam", "cam")
NUM_INTEGRATION_STEPS = 16
OCCLUDED_SHARE = 4  # a box of a quarter of the height and of the width is hidden, at every half of that


def heat_maps(
    model: VideoClassifier,
    streams: Sequence[Tensor],
    target: int,
    *,
    method: Method = "gradcam",
    layers: Sequence[CamLayer] | None = None,
    signed: bool = False,
) -> dict[str, Tensor]:
    """Heat ``(T, H, W)`` by title: where and when one clip speaks for a class, at the size of the clip.

    ``gradcam`` (Selvaraju et al.: Grad-CAM, ICCV 2017) weighs the maps of a layer by the mean of their gradients and
    clamps the sum at 0 (equation 2) before it is enlarged to the size of the clip. ``cam`` (Zhou et al.: Learning Deep
    Features for Discriminative Localization, CVPR 2016) weighs them by the classifier that sees their mean, and has no
    clamp: what is below 0 after enlarging is left out. ``saliency`` (Simonyan et al. 2014) is the size of the gradient
    at each pixel, summed over the channels (the paper takes the largest), ``integrated_gradients`` (Sundararajan et
    al., ICML 2017) the size of its integral from a grey clip, times the pixel; ``occlusion`` (Zeiler and Fergus, ECCV
    2014) how much the score falls when a box is hidden in all frames.
    Gradients and occlusion are computed by captum.

    Args:
        model: in evaluation mode.
        streams: normalised, one for each of ``model.streams``, ``(1, C, T, H, W)``.
        target: number of the class.
        method: as above.
        layers: of ``gradcam`` and ``cam``; the model's own where None.
        signed: keep what speaks against the class, as negative heat; nothing is clamped.

    Raises:
        ConfigurationError: ``cam`` on a layer that no classifier sees the mean of.
    """
    if method in LAYER_METHODS:
        layers = model.cam_layers if layers is None else layers
        heats = {layer.title: _layer_heat(model, streams, target, layer, method, signed=signed) for layer in layers}
    else:
        heats = _input_heat(model, streams, target, method)
    return heats if signed else {title: heat.clamp_min(0) for title, heat in heats.items()}


def find_layer(model: VideoClassifier, name: str) -> CamLayer:
    """The layer of that name for Grad-CAM: a title of the model's own, or a module as ``named_modules`` calls it.

    Raises:
        ConfigurationError: there is none.
    """
    own = {layer.title: layer for layer in model.cam_layers}
    if name in own:
        return own[name]
    modules = dict(model.named_modules())
    if not name or name not in modules:
        from difflib import get_close_matches

        near = get_close_matches(name, [*own, *modules], n=3) or list(own)
        raise ConfigurationError(f"--layer {name}: no layer of {type(model).__name__}; near it: {', '.join(near)}")
    beside = next((layer for layer in own.values() if name.startswith(_network(layer.module))), None)
    stream, part = (beside.stream, beside.part) if beside else (model.streams[0].name, None)
    return CamLayer(name, name, stream, part=part, is_centre=beside is not None and beside.is_centre)


def _layer_heat(
    model: VideoClassifier, streams: Sequence[Tensor], target: int, layer: CamLayer, method: Method, *, signed: bool
) -> Tensor:
    from captum.attr import LayerActivation, LayerGradCam

    score = partial(row_logits, model, layer.part or MODEL_ROW)
    inputs = tuple(stream.detach().requires_grad_(True) for stream in streams)
    with tapped(model.get_submodule(layer.module)) as tap, torch.backends.cudnn.flags(enabled=False):  # RNNs in eval
        if method == "gradcam":
            heat = LayerGradCam(score, tap).attribute(inputs, target=target)  # (N, 1, [t,] h, w)
        else:
            maps = LayerActivation(score, tap).attribute(inputs)
            heat = _weighed(cast(Tensor, maps), _classifier(model, layer), target)
    heat = in_order_of_time(cast(Tensor, heat).detach())[:, 0]  # (n, h, w)
    if method == "gradcam" and not signed:
        heat = heat.clamp_min(0)
    stream = streams[[stream.name for stream in model.streams].index(layer.stream)]
    return _as_clip(heat, layer, tuple(stream.shape[2:]), model.clip.num_snippets)


def _classifier(model: VideoClassifier, layer: CamLayer) -> nn.Linear:
    if layer.classifier is None:
        raise ConfigurationError(
            f"cam needs a layer whose mean goes straight into a linear classifier; {layer.title!r} of "
            f"{type(model).__name__} is not one: use gradcam, which needs none"
        )
    return cast(nn.Linear, model.get_submodule(layer.classifier))


def _weighed(maps: Tensor, classifier: nn.Linear, target: int) -> Tensor:
    """Maps ``(N, C, ...)`` -> their sum ``(N, 1, ...)`` by the weights of a class; towers have weights of their own."""
    weights = classifier.weight[target].view(-1, maps.shape[1])  # (1 or N towers, C)
    weights = weights.repeat(len(maps) // len(weights), 1)  # (N, C)
    return (weights.view(*weights.shape, *[1] * (maps.ndim - 2)) * maps).sum(dim=1, keepdim=True)


def _as_clip(heat: Tensor, layer: CamLayer, size: tuple[int, ...], num_snippets: int) -> Tensor:
    """Heat ``(n, h, w)`` in order of time -> ``(T, H, W)``: between maps, and outside the fovea nothing."""
    T, H, W = size
    place = (H // 2, W // 2) if layer.is_centre else (H, W)
    heat = F.interpolate(heat[:, None], size=place, mode="bilinear", align_corners=False)[:, 0]
    if layer.is_centre:
        top, left = (H - H // 2) // 2, (W - W // 2) // 2
        heat = F.pad(heat, (left, W - W // 2 - left, top, H - H // 2 - top))
    num_parts = num_snippets if len(heat) % num_snippets == 0 and T % num_snippets == 0 else 1
    parts = [_over_time(part, T // num_parts, layer.frames) for part in heat.chunk(num_parts)]
    return torch.cat(parts)


def _over_time(heat: Tensor, num_frames: int, frames: Sequence[int] | None) -> Tensor:
    """``(n, H, W)`` -> ``(num_frames, H, W)``: linear between the frames that the maps belong to, constant beyond."""
    n = len(heat)
    if frames is None or len(frames) != n or frames[-1] >= num_frames:
        at = (torch.arange(n, dtype=torch.float64) + 0.5) * num_frames / n - 0.5
    else:
        at = torch.tensor(frames, dtype=torch.float64)
    wanted = torch.arange(num_frames, dtype=torch.float64).clamp(float(at[0]), float(at[-1]))
    after = torch.searchsorted(at, wanted).clamp(0, n - 1)
    before = (after - 1).clamp_min(0)
    gap = (at[after] - at[before]).clamp_min(1e-9)
    share = ((wanted - at[before]) / gap).clamp(0, 1).to(heat)[:, None, None]
    return heat[before] * (1 - share) + heat[after] * share


def _input_heat(model: VideoClassifier, streams: Sequence[Tensor], target: int, method: Method) -> dict[str, Tensor]:
    """Heat of every stream that the model sees, by the stream's name."""
    from captum.attr import IntegratedGradients, Occlusion, Saliency

    inputs = tuple(stream.detach().requires_grad_(method != "occlusion") for stream in streams)
    with torch.backends.cudnn.flags(enabled=False):
        if method == "saliency":
            found = Saliency(model).attribute(inputs, target=target)
        elif method == "integrated_gradients":
            found = IntegratedGradients(model).attribute(
                inputs, target=target, n_steps=NUM_INTEGRATION_STEPS, internal_batch_size=1
            )
        else:
            boxes = [
                (s.shape[1], s.shape[2], *(max(1, side // OCCLUDED_SHARE) for side in s.shape[3:])) for s in inputs
            ]
            steps = [(*box[:2], *(max(1, side // 2) for side in box[2:])) for box in boxes]
            with torch.no_grad():
                found = Occlusion(model).attribute(
                    inputs, target=target, sliding_window_shapes=tuple(boxes), strides=tuple(steps)
                )
    heats = {stream.name: values for stream, values in zip(model.streams, found, strict=True)}
    if method == "occlusion":
        return {name: values[0].detach().mean(dim=0) for name, values in heats.items()}
    return {name: values[0].detach().abs().sum(dim=0) for name, values in heats.items()}


def _network(module: str) -> str:
    return module.partition(".stages")[0] + "."
