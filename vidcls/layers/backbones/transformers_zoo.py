"""Encoders of transformers by name or folder -> backbones over frames and over clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from vidcls.errors import CheckpointError, ConfigurationError, MissingExtraError, first_line
from vidcls.hub_files import EXTRA, PREFIX
from vidcls.hub_models import input_len_of, settings_of, size_of, weights_of
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.backbones.token_maps import Carried, ClassToken, Patches
from vidcls.layers.backbones.transformers_stages import FAMILIES, Model
from vidcls.layers.stems import replace_stem
from vidcls.layers.weight_init import is_file_name, shown

if TYPE_CHECKING:
    from types import ModuleType

DEFAULT = "DEFAULT"
# By model_type: how the names of its settings and its encoder begin, and the class with a classifier.
CLASSES = {
    "clip_vision_model": ("CLIPVision", "CLIPForImageClassification"),
    "dinov2": ("Dinov2", "Dinov2ForImageClassification"),
    "dinov2_with_registers": ("Dinov2WithRegisters", "Dinov2WithRegistersForImageClassification"),
    "dinov3_vit": ("DINOv3ViT", ""),
    "siglip_vision_model": ("SiglipVision", "SiglipForImageClassification"),
    "siglip2_vision_model": ("Siglip2Vision", "Siglip2ForImageClassification"),
    "timesformer": ("Timesformer", "TimesformerForVideoClassification"),
    "videomae": ("VideoMAE", "VideoMAEForVideoClassification"),
    "videoprism_vision_model": ("VideoPrismVision", "VideoPrismForVideoClassification"),
    "vit": ("ViT", "ViTForImageClassification"),
    "vivit": ("Vivit", "VivitForVideoClassification"),
    "vjepa2": ("VJEPA2", "VJEPA2ForVideoClassification"),
}
POOLING_HAS_WEIGHTS = ("videomae", "videoprism_vision_model", "vjepa2")  # those of the class with a classifier
# Parts that we have no use for, made small.
UNUSED: dict[str, dict[str, object]] = {"vjepa2": {"pred_num_hidden_layers": 1}}
_NOT_BUILT = (ArithmeticError, AttributeError, KeyError, RuntimeError, TypeError, ValueError)


class TransformersBackbone(Backbone):
    """An encoder of transformers (Wolf et al., EMNLP 2020) up to the features before its classifier.

    Its stages are ``patches``, ``layer1`` ... and give maps; tokens beside those of the patches are handed on with
    them. The last layer ends in the last normalisation. The features are what the network's own classifier sees; of
    weights without one, what the network itself pools.

    Args:
        name: ``hf/`` and a folder as ``save_pretrained`` writes it, or a name on the Hub such as
            ``hf/facebook/dinov2-small``, which is downloaded where the Hub's cache lacks it.
        in_channels: C of the input; another number than 3 replaces the first convolution, see
            :class:`TorchvisionBackbone`.
        weights: ``DEFAULT`` for those of the folder (safetensors), or none for random weights.
        num_towers: see :class:`Backbone`.

    Raises:
        ConfigurationError: there is no such model, or it is no encoder of frames or clips.
        CheckpointError: the weights cannot be had, or are of another network.
        MissingExtraError: transformers is not installed.
    """

    def __init__(self, name: str, in_channels: int = 3, *, weights: str | None = None, num_towers: int = 1) -> None:
        settings = settings_of(name)
        if weights is not None and weights != DEFAULT and not is_file_name(weights):
            raise ValueError(f"weights={weights!r}: for {name} use {DEFAULT}, the path of a file, or null")
        with _quiet(_transformers(name)) as transformers:
            model, config = _model(transformers, name, settings, read_weights=weights == DEFAULT)
        try:
            parts = FAMILIES[settings["model_type"]](model)
        except KeyError as error:
            raise ConfigurationError(f"backbone {name}: its settings lack {error}") from error
        if num_towers > 1 and isinstance(parts.read_out, ClassToken):
            raise ValueError(
                f"backbone {name}: its features are those of its class token, so that towers cannot be joined: use "
                "another backbone, or another model such as SingleFrame"
            )
        size_px, num_frames = size_of(config), input_len_of(config)
        super().__init__(
            parts.stages,
            parts.read_out,
            num_features=parts.num_features,
            num_towers=num_towers,
            input_px=size_px,
            input_len=num_frames,
        )
        replace_stem(self, in_channels, keep_weights=weights is not None)
        for key, parameter in self.named_parameters():
            if key.endswith("mask_token"):  # of the training that hides patches
                parameter.requires_grad_(False)
        self.has_other_tokens = cast(Patches, parts.stages["patches"]).num_others > 0
        self.class_token_only = parts.class_token_only
        self.sees_all_frames = num_frames is not None
        self.travelling = {name: settings}

    @property
    def last_places(self) -> str:
        """The last stage, or the one before where only the class token goes on from the last."""
        is_whole = self.class_token_only and not isinstance(self.read_out, nn.Identity)
        return self.stage_names[-2 if is_whole else -1]

    def forward(self, x: Tensor) -> Tensor:
        """Frames ``(B, C, H, W)`` or clips ``(B, C, T, H, W)`` -> features ``(B, D)``."""
        return self.read_out(super().maps(x))  # with the tokens beside the maps

    def maps(self, x: Tensor, *, after: str | None = None, until: str | None = None) -> Tensor:
        """The maps alone, see :class:`Backbone`."""
        return _maps_alone(super().maps(x, after=after, until=until))

    def levels(self, x: Tensor, names: Sequence[str]) -> list[Tensor]:
        """The maps alone, see :class:`Backbone`."""
        return [_maps_alone(level) for level in super().levels(x, names)]


def _maps_alone(carried: Carried) -> Tensor:
    return carried if isinstance(carried, Tensor) else carried[0]


def _model(
    transformers: ModuleType, name: str, settings: Mapping[str, Any], *, read_weights: bool
) -> tuple[Model, dict[str, Any]]:
    kind = settings["model_type"]
    start, classifier = CLASSES[kind]
    has_classifier = classifier != "" and classifier in settings["architectures"]
    network_class = getattr(
        transformers, classifier if has_classifier and kind in POOLING_HAS_WEIGHTS else f"{start}Model"
    )
    config_class = getattr(transformers, f"{start}Config")
    known = {field.name for field in fields(config_class)} - {"architectures"}
    try:
        config = config_class(**{k: v for k, v in settings.items() if k in known} | UNUSED.get(kind, {}))
        whole = {**config.to_dict(), "model_type": kind}
        arguments = {"add_pooling_layer": False} if kind in ("vit", "vivit") else {}
        if not read_weights:
            network = network_class(config, **arguments)
            return Model(name, network.float(), whole, has_classifier), whole
    except _NOT_BUILT as error:
        raise ConfigurationError(f"backbone {name}: cannot be built from its settings: {first_line(error)}") from error
    network = _loaded(name, network_class, config, arguments, whole, has_classifier)
    return Model(name, network, whole, has_classifier), whole


def _loaded(
    name: str,
    network_class: Any,
    config: object,
    arguments: Mapping[str, object],
    settings: dict[str, Any],
    has_classifier: bool,
) -> nn.Module:
    """The network with the weights of the folder, which transformers renames where they are of an older version."""
    state = _tensors(name)
    try:
        network, report = network_class.from_pretrained(
            None, config=config, state_dict=state, output_loading_info=True, dtype=torch.float32, **arguments
        )
    except _NOT_BUILT as error:
        raise CheckpointError(f"backbone {name}: its weights do not fit its settings: {first_line(error)}") from error
    parts = FAMILIES[settings["model_type"]](Model(name, network, settings, has_classifier))
    used = {id(p) for module in (*parts.stages.values(), parts.read_out) for p in module.parameters()}
    own = dict(network.named_parameters())
    missing = sorted(each for each in report["missing_keys"] if each in own and id(own[each]) in used)
    if missing:
        raise CheckpointError(f"backbone {name}: its weights lack {shown(missing)}: they are of another network")
    return network


def _tensors(name: str) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    state: dict[str, Tensor] = {}
    for path in weights_of(name):
        try:
            state |= load_file(path)
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{path}: cannot be read as safetensors: {first_line(error)}") from error
    return {key: value for key, value in state.items() if not key.startswith("classifier.")}


def _transformers(name: str) -> ModuleType:
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError(
            f"backbone {name}: {PREFIX} models need transformers: pip install 'vidcls[{EXTRA}]'"
        ) from error
    return transformers


@contextmanager
def _quiet(transformers: ModuleType) -> Iterator[ModuleType]:
    """Without its bars and reports: what concerns the user is an error of ours."""
    logging = transformers.utils.logging
    level, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield transformers
    finally:
        logging.set_verbosity(level)
        if has_bars:
            logging.enable_progress_bar()
