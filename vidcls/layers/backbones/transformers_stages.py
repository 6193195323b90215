"""A model of transformers -> its stages, by family, and its read-out without the classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn

from vidcls.hub_models import extents_of, input_len_of, size_of
from vidcls.layers.backbones.token_maps import ClassToken, FirstPlace, OnlyPlaces, Patches, Pooled, TokenLayer
from vidcls.layers.backbones.transformers_modules import (
    Siglip2Patches,
    TimePlaces,
    all_interpolated,
    interpolated,
    plainly,
    without_mask,
)
from vidcls.layers.read_outs import GlobalAverage

Settings = Mapping[str, Any]
SIGLIP2 = "siglip2_vision_model"


@dataclass(frozen=True)
class Parts:
    """A network taken apart.

    Args:
        stages: by name, from the input on.
        read_out: what its own classifier sees, or what it pools where it has none.
        num_features: D of the read-out.
        class_token_only: whether the read-out sees nothing of the last maps.
    """

    stages: dict[str, nn.Module]
    read_out: nn.Module
    num_features: int
    class_token_only: bool = False


@dataclass(frozen=True)
class Model:
    """A network of transformers.

    Args:
        name: as a user wrote it.
        network: with its weights.
        settings: of the encoder.
        has_classifier: whether its weights are those of a network with a classifier, whose pooling counts.
    """

    name: str
    network: nn.Module
    settings: Settings
    has_classifier: bool

    def get(self, name: str) -> nn.Module:
        """A module of the network."""
        return self.network.get_submodule(name)

    def norm(self, name: str) -> nn.Module | None:
        """A module of the network that may be None in it."""
        return cast(nn.Module | None, getattr(self.network, name, None))


def _vit(model: Model) -> Parts:
    """Dosovitskiy et al.: An Image is Worth 16x16 Words, ICLR 2021."""
    stages = _stages(_patches(model, interpolated, num_others=1), model.get("layers"), norm=model.get("layernorm"))
    return Parts(stages, ClassToken(model.name), model.settings["hidden_size"], class_token_only=True)


def _dinov2(model: Model) -> Parts:
    """Oquab et al. 2023, and with registers Darcet et al. 2024; the class token and the mean of the patches."""
    patches = _patches(model, plainly, num_others=1 + model.settings.get("num_register_tokens", 0))
    stages = _stages(patches, model.get("encoder.layer"), norm=model.get("layernorm"))
    return Parts(stages, ClassToken(model.name, with_mean=True), 2 * model.settings["hidden_size"])


def _dinov3(model: Model) -> Parts:
    """Siméoni et al. 2025; its places are rotations of queries and keys."""
    num_others = 1 + model.settings["num_register_tokens"]
    patches = _patches(model, plainly, num_others=num_others, rotate=model.get("rope_embeddings"))
    stages = _stages(patches, model.get("model.layer"), norm=model.get("norm"))
    return Parts(stages, ClassToken(model.name), model.settings["hidden_size"], class_token_only=True)


def _clip(model: Model) -> Parts:
    """Radford et al. 2021: its class token; of a classifier of images the mean of the patches."""
    patches = _patches(model, interpolated, num_others=1, after=model.get("pre_layrnorm"))
    stages = _stages(patches, model.get("encoder.layers"), takes_mask=True)
    D = model.settings["hidden_size"]
    if model.has_classifier:
        name = list(stages)[-1]
        return Parts({**stages, name: nn.Sequential(stages[name], OnlyPlaces())}, GlobalAverage(), D)
    return Parts(stages, ClassToken(model.name, norm=model.get("post_layernorm")), D, class_token_only=True)


def _siglip(model: Model) -> Parts:
    """Zhai et al. 2023, Tschannen et al. 2025: attention over the patches; of a classifier of images their mean."""
    patches = _patches(model, plainly if model.settings["model_type"] == SIGLIP2 else interpolated)
    stages = _stages(patches, model.get("encoder.layers"), takes_mask=True, norm=model.get("post_layernorm"))
    head = None if model.has_classifier else model.norm("head")
    return Parts(stages, GlobalAverage() if head is None else Pooled(head), model.settings["hidden_size"])


def _videomae(model: Model) -> Parts:
    """Tong et al. 2022: the mean over all tokens, normalised."""
    base = model.get("videomae") if model.has_classifier else model.network
    places = base.get_submodule("embeddings")
    table = cast(Tensor, places.position_embeddings)
    del places.position_embeddings  # a plain tensor, which each call would copy to the device
    places.register_buffer("position_embeddings", table, persistent=False)
    patches = _patches(model, without_mask, base=base, fixed=True)
    stages = _stages(patches, base.get_submodule("encoder.layer"), norm=cast(nn.Module | None, base.layernorm))
    fc_norm = model.norm("fc_norm")
    if not model.has_classifier:
        read_out: nn.Module = GlobalAverage()
    elif fc_norm is None:
        read_out = FirstPlace()
    else:
        read_out = nn.Sequential(GlobalAverage(), fc_norm)
    return Parts(stages, read_out, model.settings["hidden_size"])


def _vjepa2(model: Model) -> Parts:
    """Assran et al. 2025: of a classifier its attentive pooling, else the mean over all tokens."""
    base = model.get("vjepa2") if model.has_classifier else model.network
    encoder = base.get_submodule("encoder")
    patches = _patches(model, plainly, base=encoder, fixed=True, any_length=True)
    stages = _stages(patches, encoder.get_submodule("layer"), norm=encoder.get_submodule("layernorm"))
    read_out = Pooled(model.get("pooler")) if model.has_classifier else GlobalAverage()
    return Parts(stages, read_out, model.settings["hidden_size"])


def _timesformer(model: Model) -> Parts:
    """Bertasius et al. 2021: attention over time at each place, then over the places of each time."""
    if model.settings["attention_type"] == "space_only":
        raise ValueError(f"backbone {model.name}: attention_type space_only knows no time: use divided_space_time")
    patches = _patches(model, plainly, num_others=1, fixed=True, time_last=True)
    stages = _stages(patches, model.get("encoder.layer"), norm=model.get("layernorm"), time_last=True)
    return Parts(stages, ClassToken(model.name), model.settings["hidden_size"], class_token_only=True)


def _vivit(model: Model) -> Parts:
    """Arnab et al. 2021, the model with attention over all places and times."""
    patches = _patches(model, plainly, num_others=1, fixed=True)
    stages = _stages(patches, model.get("layers"), norm=model.get("layernorm"))
    return Parts(stages, ClassToken(model.name), model.settings["hidden_size"], class_token_only=True)


def _videoprism(model: Model) -> Parts:
    """Zhao et al. 2024: layers over the places of each time, then layers over the times of each place."""
    base = model.get("vision_model") if model.has_classifier else model.network
    space = list(base.get_submodule("spatial_layers").children())
    time = list(base.get_submodule("temporal_layers").children())
    places = TimePlaces(base.get_submodule("temporal_embeddings"))
    layers = [
        TokenLayer(layer, over="space", norm=base.get_submodule("layernorm1") if layer is space[-1] else None)
        for layer in space
    ] + [
        TokenLayer(
            layer,
            over="time",
            before=places if layer is time[0] else None,
            norm=base.get_submodule("layernorm2") if layer is time[-1] else None,
        )
        for layer in time
    ]
    embed = base.get_submodule("spatial_embeddings")
    patches = Patches(model.name, embed, all_interpolated, patch=extents_of(model.settings))
    stages = {"patches": patches, **{f"layer{k}": layer for k, layer in enumerate(layers, start=1)}}
    read_out: nn.Module = GlobalAverage()
    if model.has_classifier:
        read_out = Pooled(model.get("head"), norm=model.get("head_layernorm"))
    return Parts(stages, read_out, model.settings["hidden_size"])


FAMILIES: dict[str, Callable[[Model], Parts]] = {
    "clip_vision_model": _clip,
    "dinov2": _dinov2,
    "dinov2_with_registers": _dinov2,
    "dinov3_vit": _dinov3,
    "siglip_vision_model": _siglip,
    "siglip2_vision_model": _siglip,
    "timesformer": _timesformer,
    "videomae": _videomae,
    "videoprism_vision_model": _videoprism,
    "vit": _vit,
    "vivit": _vivit,
    "vjepa2": _vjepa2,
}


def _patches(
    model: Model,
    call: Callable[[nn.Module, Tensor], Tensor],
    *,
    base: nn.Module | None = None,
    num_others: int = 0,
    fixed: bool = False,
    any_length: bool = False,
    time_last: bool = False,
    after: nn.Module | None = None,
    rotate: nn.Module | None = None,
) -> Patches:
    embed = (model.network if base is None else base).get_submodule("embeddings")
    if model.settings["model_type"] == SIGLIP2:
        embed = Siglip2Patches(embed, model.settings["num_channels"])
    return Patches(
        model.name,
        embed,
        call,
        patch=extents_of(model.settings),
        num_others=num_others,
        size_px=size_of(model.settings) if fixed else None,
        num_frames=input_len_of(model.settings) if fixed and not any_length else None,
        time_last=time_last,
        after=after,
        rotate=rotate,
    )


def _stages(
    patches: Patches,
    layers: nn.Module,
    *,
    norm: nn.Module | None = None,
    takes_mask: bool = False,
    time_last: bool = False,
) -> dict[str, nn.Module]:
    """The patches and each layer; the last one ends in the last normalisation."""
    stages: dict[str, nn.Module] = {"patches": patches}
    children = list(layers.children())
    for k, layer in enumerate(children, start=1):
        last = norm if k == len(children) else None
        stages[f"layer{k}"] = TokenLayer(
            layer, takes_mask=takes_mask, time_last=time_last, num_others=patches.num_others, norm=last
        )
    return stages
