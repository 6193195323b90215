"""A small encoder, its settings, and a store of its features."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from vidcls.clips import InputSettings
from vidcls.features import FeatureKey, FeatureStore, compute_features
from vidcls.features.encoding import MakeEncoder
from vidcls.features.report import Report
from vidcls.jobs import InThisProcess, Pool
from vidcls.layers import build_backbone
from vidcls.layers.token_encoder import TokenEncoder
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings, VideoRecord, as_streams

SETTINGS = InputSettings(
    streams=as_streams(["rgb"]),
    clip=ClipSettings(num_snippets=3, clip_len=1),
    transform=TransformSettings(resize_px=24, crop_px=(24, 28), test_crops=2),
)
LEVELS = ("block4", "read_out")


def small_encoder(seed: int = 0, scale: float = 1.0) -> TokenEncoder:
    """A network with weights of that seed, those of its last layer times ``scale``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        backbone = build_backbone("small")
    if scale != 1.0:
        for parameter in list(backbone.parameters())[-2:]:
            parameter.data.mul_(scale)
    return TokenEncoder(backbone.eval(), LEVELS, (2, 3), SETTINGS.clip.num_snippets)


def slow_encoder() -> TokenEncoder:
    """The same, in no hurry."""
    encoder = small_encoder()
    encoder.register_forward_hook(lambda *_: time.sleep(0.3))
    return encoder


def key_of(make_encoder: MakeEncoder = small_encoder, settings: InputSettings = SETTINGS) -> FeatureKey:
    encoder = make_encoder()
    assert isinstance(encoder, TokenEncoder)
    return FeatureKey.of(encoder, settings, backbone="small")


def computed(
    records: Sequence[VideoRecord],
    root: Path,
    make_encoder: MakeEncoder = small_encoder,
    settings: InputSettings = SETTINGS,
    *,
    pool: Pool | None = None,
) -> tuple[FeatureStore, Report]:
    """A store with the features of these videos."""
    store = FeatureStore(root, key_of(make_encoder, settings))
    report = compute_features(
        records, store, make_encoder, settings, pool=pool or InThisProcess(), tell=lambda _line: None
    )
    return store, report


def files_of(store: FeatureStore) -> dict[str, bytes]:
    """All files of features and their bytes, by their names."""
    return {str(p.relative_to(store.folder)): p.read_bytes() for p in sorted(store.folder.rglob("*.safetensors"))}


other_weights = partial(small_encoder, 1)
two_clips = replace(SETTINGS, test_clips=2)
