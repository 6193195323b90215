"""A video -> its features, by a network that each process builds once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor, nn

from vidcls.clips.reader import ClipReader
from vidcls.clips.settings import InputSettings
from vidcls.clips.views import stack_views, views_of
from vidcls.errors import FeatureError
from vidcls.features.key import input_facts
from vidcls.features.store import FeatureStore
from vidcls.flow import FlowSource
from vidcls.inference import NetworkInput
from vidcls.jobs import worker_number
from vidcls.layers.weights_digest import weights_digest
from vidcls.threads import one_thread
from vidcls.types import VideoRecord

Device = Literal["cpu", "cuda"]
BATCH_FRAMES = 64  # in float32 and with the maps of a network less than a GB up to 224x224


class Encoder(Protocol):
    """What computes features: a module such as :class:`vidcls.layers.token_encoder.TokenEncoder`."""

    @property
    def network(self) -> nn.Module:
        """What has the weights that the key of a store names."""

    def __call__(self, *streams: Tensor) -> dict[str, Tensor]:
        """Normalised streams ``(V, C, T, H, W)`` -> features ``(V, T', P, D)`` by level."""


MakeEncoder = Callable[[], Encoder]


class OtherWeightsError(FeatureError):
    """The network that was built is not the one whose features the store keeps."""


class UnwritableStoreError(FeatureError):
    """A file of features cannot be written, for another reason than a full disk."""


@dataclass(frozen=True)
class VideoEncoder:
    """What a process needs to compute the features of a video; it can be pickled.

    Args:
        store: where they are kept; it says which network is expected.
        make_encoder: builds the network; a function of a module, or a partial of one, with small arguments.
        settings: how a video becomes its views.
        flow_source: where stored flow lies, for a network on flow.
        device: where the network runs; with ``cuda`` the processes take the GPUs in turn.
        batch_frames: frames that go to the device at once, at least those of a view.
    """

    store: FeatureStore
    make_encoder: MakeEncoder
    settings: InputSettings
    flow_source: FlowSource | None = None
    device: Device = "cpu"
    batch_frames: int = BATCH_FRAMES

    def __post_init__(self) -> None:
        """Refuse settings that are not those of the key."""
        if (facts := input_facts(self.settings)) != self.store.key.inputs:
            raise ValueError(f"the store keeps features of the inputs {self.store.key.inputs}, got settings {facts}")

    def tokens(self, record: VideoRecord) -> dict[str, Tensor]:
        """The features ``(V, T, P, D)`` of a video by level, float32 on the CPU; equal in every process.

        Raises:
            DecodeError: the video cannot be read.
            OtherWeightsError: the network is not the one of the store.
        """
        with one_thread():  # sums of several threads are added in another order
            clips = ClipReader(self.settings, self.flow_source).test_clips(record)
            views = stack_views(views_of(clips, self.settings))  # (V, C, T, H, W) each
            return self._encoded(views)

    def _encoded(self, views: Mapping[str, Tensor]) -> dict[str, Tensor]:
        device = self._own_device()
        encoder, network_input = _kept_encoder(self, device)
        V = len(next(iter(views.values())))
        frames_each = max(stream.shape[2] for stream in views.values())
        at_once = max(1, self.batch_frames // frames_each)
        by_level: dict[str, list[Tensor]] = {}
        with torch.inference_mode():
            for start in range(0, V, at_once):
                some = {name: stream[start : start + at_once].to(device) for name, stream in views.items()}
                for level, tokens in encoder(*network_input(some).values()).items():
                    by_level.setdefault(level, []).append(tokens.float().cpu())
        return {level: torch.cat(tokens) for level, tokens in by_level.items()}

    def _own_device(self) -> torch.device:
        """The GPU of this process: the GPUs are dealt to the processes in turn."""
        if self.device == "cpu":
            return torch.device("cpu")
        if not torch.cuda.is_available():
            raise FeatureError("device cuda: PyTorch finds no CUDA GPU where the worker runs: pass --gpus_per_worker")
        return torch.device("cuda", worker_number() % torch.cuda.device_count())


_kept: dict[tuple[str, torch.device], tuple[Encoder, NetworkInput]] = {}  # of this process: one at a time


def _kept_encoder(job: VideoEncoder, device: torch.device) -> tuple[Encoder, NetworkInput]:
    """The network, built by the first video that needs it, and what it is fed with."""
    found = _kept.get((job.store.digest, device))
    if found is None:
        _kept.clear()
        encoder = job.make_encoder()
        if isinstance(encoder, nn.Module):
            encoder.eval().to(device)
        digest, expected = weights_digest(encoder.network), job.store.key.weights
        if digest != expected:
            raise OtherWeightsError(
                f"the network has the weights {digest[:16]}, but {job.store.folder} keeps features of the weights "
                f"{expected[:16]}: use the network that they were computed with, or another folder for features"
            )
        found = _kept[job.store.digest, device] = encoder, NetworkInput(job.settings, device=device)
    return found


def forget_encoders() -> None:
    """Let the network of this process go, and its memory with it."""
    _kept.clear()
