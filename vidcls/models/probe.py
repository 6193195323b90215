"""Probe: a frozen pretrained network, and small heads on its features of a video."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn

from vidcls.errors import ConfigurationError
from vidcls.layers import Backbone
from vidcls.layers.backbones import READ_OUT
from vidcls.layers.backbones_3d import frames_seen
from vidcls.layers.probe_heads import HeadEnsemble, HeadSettings
from vidcls.layers.snippets import SnippetUse, num_clips
from vidcls.layers.token_encoder import TokenEncoder, probe_levels
from vidcls.models.cam_layer import CamLayer
from vidcls.models.classifier import VideoClassifier
from vidcls.models.fitted_heads import FittedHeads, FixedWeights, OneBatch
from vidcls.models.stream_encoder import FedAs, Shape, StreamEncoder, network_named
from vidcls.probe.settings import ProbeSettings
from vidcls.types import MODEL_ROW, RGB, Batch, Stream

TrainOn = Literal["features", "clips"]
PER_FRAME = re.compile(r"mean|segments\d+")  # descriptors in which each frame counts alone


class Probe(VideoClassifier):
    """A frozen backbone, and heads on pooled descriptors or on all tokens of its features.

    ``vidcls probe``, and ``vidcls fit`` with ``train_on: features``, compute the features of each training video once
    and choose the heads on them by grouped cross-validation (:mod:`vidcls.probe`); the chosen ones are part of the
    checkpoint. With ``train_on: clips`` it trains as any other model, one linear head by gradients, and the backbone
    runs in every epoch.

    A linear classifier on frozen features as in Alain and Bengio: Understanding intermediate layers using linear
    classifier probes, 2016; the attentive head is that of V-JEPA (Bardes et al. 2024).

    Args:
        backbone: any 2D or 3D network by name: ``efficientnet_lite0``, one of torchvision, ``timm/NAME``,
            ``hf/NAME_OR_FOLDER``, one of ours.
        weights: its weights: ``DEFAULT``, a file, a checkpoint of vidcls, or none for random ones.
        levels: the stages whose output is used, by name, or ``read_out`` for the vector at its end; left out: the
            deepest stage with larger maps than the last, the last one, and the vector where it is not the mean of that.
        grid: rows and columns of the grid to which the maps of a stage are averaged, beside the mean of the whole.
        choice: which heads are tried, and how one is chosen.
        train_on: ``features``, computed once, or ``clips``.
        use_val: whether the validation videos join those of the training, as cross-validation takes the place of their
            score, with ``train_on: features``.
        snippets: for a 3D backbone: ``average`` shows it each snippet as a clip of its own, ``join`` all of them as one
            clip, such as 64 snippets of one frame for a network of 64 frames.
        dropout: share of the tokens' values that is dropped before the head, with ``train_on: clips``.
        heads: those that were chosen, as a checkpoint has them; left out for a new probe.
        **common: what every model takes; see :class:`VideoClassifier`.
    """

    streams: ClassVar[tuple[Stream, ...]] = (RGB,)
    initial_weights: ClassVar[tuple[str, ...]] = ("weights",)
    learned_arguments: ClassVar[tuple[str, ...]] = ("heads",)

    def __init__(
        self,
        *,
        backbone: str = "efficientnet_lite0",
        weights: str | None = None,
        levels: list[str] | None = None,
        grid: tuple[int, int] = (2, 3),
        choice: ProbeSettings | None = None,
        train_on: TrainOn = "features",
        use_val: bool = True,
        snippets: SnippetUse = "average",
        dropout: float = 0.2,
        heads: dict[str, Any] | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.choice = choice or ProbeSettings()
        self.train_on = train_on
        self.use_val = use_val
        self.dropout = nn.Dropout(dropout)
        self.fits_features = False  # callbacks.ProbeFit sets it
        self.fitted: FittedHeads | None = None
        self.backbone = network_named(backbone, weights=weights)
        self.encoders: dict[str, StreamEncoder] = {}  # by stream; a plain dict, since the networks are registered above
        self.add_encoder(RGB, self.backbone, levels, grid, num_snippets=num_clips(self.clip, snippets))
        if type(self) is Probe:
            self.finish(heads)

    def add_encoder(
        self,
        stream: Stream,
        backbone: Backbone,
        levels: list[str] | None,
        grid: tuple[int, int],
        *,
        num_snippets: int,
        fed_as: FedAs = "frames",
        bound_px: float = 1.0,
    ) -> None:
        """Let a network see a stream.

        Raises:
            ConfigurationError: it has no such levels.
        """
        try:
            encoder = TokenEncoder(backbone, levels or probe_levels(backbone), grid, num_snippets)
        except ValueError as error:
            raise ConfigurationError(f"model: {error}") from error
        self.encoders[stream.name] = StreamEncoder(encoder, fed_as, bound_px)

    def finish(self, heads: dict[str, Any] | None) -> None:
        """Build the heads, when all encoders are there, and freeze the networks below them."""
        self.all_levels = {name: each.encoder.levels for name, each in self.encoders.items()}
        """By stream, those that the heads are chosen from; of a fitted probe only those of its heads are computed."""
        self.shapes: dict[str, Shape] = {}
        """(T, P, D) of the tokens by level, of all of them."""
        for stream in self.streams:
            shapes = self.encoders[stream.name].shapes(stream.channels, stream.length(self.clip))
            self.shapes |= {prefix_of(stream) + level: shape for level, shape in shapes.items()}
        if heads is None:
            try:
                self.choice.candidates(self.shapes, num_views=1)
            except ValueError as error:
                raise ConfigurationError(f"model.choice: {error}") from error
        self.head = self._ensemble(heads or self._first_heads())
        self._use_levels()
        self.freeze_networks()

    @property
    def receptive_field(self) -> int:
        """All frames of a clip where descriptors compare them, else what the backbone sees at once."""
        if len(self.head.settings) > 1 or not all(PER_FRAME.fullmatch(head.descriptor) for head in self.head.settings):
            return self.clip.num_snippets * self.clip.clip_len
        return 1 if self.backbone.input_len is None else frames_seen(self.backbone, self._clip_len)

    @property
    def cam_layers(self) -> tuple[CamLayer, ...]:
        """Of each network the deepest maps that the heads see, or that lead to the vector that they see."""
        found: list[CamLayer] = []
        path_of = {RGB.name: "backbone"}
        for stream in self.streams:
            encoder = self.encoders[stream.name].encoder
            names = [name for name in encoder.backbone.stage_names if name in encoder.levels]
            if READ_OUT in encoder.levels:
                names.append(encoder.backbone.last_places)
            if names:
                path = path_of.get(stream.name, f"{stream.name}_backbone")
                title = MODEL_ROW if len(self.streams) == 1 else stream.name
                found.append(CamLayer(title, f"{path}.stages.{names[-1]}", stream.name))
        return tuple(found)

    @property
    def _clip_len(self) -> int:
        """Frames that the network on RGB sees at once, where it sees several."""
        return self.clip.num_snippets * self.clip.clip_len // self.encoders[RGB.name].encoder.num_snippets

    def forward(self, *streams: Tensor) -> Tensor:
        """Streams such as RGB ``(B, 3, S*T, H, W)`` -> logits ``(B, K)``."""
        tokens: dict[str, Tensor] = {}
        for stream, clips in zip(self.streams, streams, strict=True):
            encoder = self.encoders[stream.name]
            if encoder.encoder.levels:
                tokens |= {prefix_of(stream) + level: found for level, found in encoder(clips).items()}
        if self.training:
            tokens = {level: self.dropout(found) for level, found in tokens.items()}
        return self.head(tokens).to(self.class_weights.dtype)

    def take_heads(self, head: HeadEnsemble) -> None:
        """Answer by these heads from now on."""
        self.hparams["heads"] = head.to_dict()
        self.head = head.to(self.device)
        self._use_levels()
        self.freeze_networks()

    def setup(self, stage: str) -> None:
        """As for any model; warn where a validation score would be optimistic."""
        super().setup(stage)
        if stage == "validate" and self.use_val and self.train_on == "features" and self.hparams["heads"]:
            rank_zero_warn(
                "the heads of this probe were fitted to the validation videos too: their score is optimistic"
            )

    def train_batches(self) -> Iterable[Batch] | None:
        """One batch for the one step in which heads that were fitted to features are measured."""
        return OneBatch(lambda: self.fitted) if self.fits_features else None

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """As for any model; of heads that were fitted to features, log what cross-validation found, as ``val/``."""
        if not self.fits_features:
            return super().training_step(batch, batch_idx)
        assert self.fitted is not None
        logits = self.task.logits_of(self.fitted.probabilities.to(self.device).float())
        self.task.count(self.val_metrics, logits, batch["label"])
        num_videos = len(batch["label"])
        self.log_dict(self.val_metrics.compute(), on_step=False, on_epoch=True, batch_size=num_videos)
        self.val_metrics.reset()
        losses = self.task.loss_by_video(logits, batch["label"])
        self.log("val/loss", losses.mean(), on_step=False, on_epoch=True, batch_size=num_videos)
        return next(self.head.parameters()).sum() * 0

    def configure_optimizers(self) -> Any:
        """As for any model; heads that were fitted to features stay as they are."""
        return FixedWeights(self.head.parameters()) if self.fits_features else super().configure_optimizers()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Build the heads that the checkpoint has, so that their weights find a place."""
        super().on_load_checkpoint(checkpoint)
        heads = checkpoint.get("hyper_parameters", {}).get("heads")
        if heads is not None:
            self.take_heads(self._ensemble(heads))

    def freeze_networks(self) -> None:
        """Keep the networks below the heads as they are."""
        for encoder in self.encoders.values():
            encoder.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Probe:
        """Set the mode of the heads; the networks below them stay in evaluation mode."""
        super().train(mode)
        for encoder in self.encoders.values():
            encoder.eval()
        return self

    def _ensemble(self, plain: dict[str, Any]) -> HeadEnsemble:
        return HeadEnsemble.from_dict(plain, self.shapes, self.num_classes, has_one_class=self.task.has_one_class)

    def _first_heads(self) -> dict[str, Any]:
        """One linear head on the means over the clip, for a probe that learns by gradients, or has yet to be fitted."""
        levels = tuple(prefix_of(s) + self.encoders[s.name].encoder.levels[-1] for s in self.streams)
        first = HeadSettings(kind="logistic", levels=levels, descriptor="mean", places="whole")
        return {"heads": [first.to_dict()], "weights": [1]}

    def _use_levels(self) -> None:
        used = {level for head in self.head.settings for level in head.levels}
        for stream in self.streams:
            levels = self.all_levels[stream.name]
            self.encoders[stream.name].encoder.levels = tuple(
                each for each in levels if prefix_of(stream) + each in used
            )


def prefix_of(stream: Stream) -> str:
    """What stands before a level of the network that sees a stream: nothing for frames."""
    return "" if stream.name == RGB.name else f"{stream.name}."
