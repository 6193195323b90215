"""A model and the videos of a split -> the features of every layer, those in a store not computed again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from vidcls.console import say
from vidcls.errors import DecodeError
from vidcls.explain.features import Features, Floats, check_one_class
from vidcls.features import FeatureKey, FeatureStore, compute_features
from vidcls.features.encoding import Device
from vidcls.features.key import input_facts
from vidcls.inference import Scorer
from vidcls.inference.features import LayerFeatures
from vidcls.jobs import Pool
from vidcls.layers.layer_table import run_on_meta
from vidcls.layers.weights_digest import weights_digest
from vidcls.loading import VideoDataModule
from vidcls.models import load_classifier
from vidcls.types import Split


def layer_store(root: Path, scorer: Scorer, data: VideoDataModule) -> FeatureStore:
    """The store of one centred clip of each video by this network, in float32, so that a probe finds what was computed.

    Raises:
        FeatureError: root is a folder of features of another network or other settings.
    """
    network, settings = scorer.network, data.input_settings.single_view()
    assert isinstance(network, nn.Module)
    size = settings.transform.crop_size
    shapes = [(1, stream.channels, stream.length(settings.clip), *size) for stream in scorer.network.streams]
    by_layer = cast(dict[str, Tensor], run_on_meta(LayerFeatures(network), *shapes))
    key = FeatureKey(
        backbone=type(network).__name__,
        weights=weights_digest(network),
        shapes={layer: (1, 1, values.shape[-1]) for layer, values in by_layer.items()},
        grid=(1, 1),
        inputs=input_facts(settings),
        num_views=1,
        dtype="float32",
    )
    return FeatureStore(root, key)


class LayerEncoder(nn.Module):
    """A network as what computes features of each of its layers for a store.

    Args:
        network: the network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *streams: Tensor) -> dict[str, Tensor]:
        """Streams ``(V, C, T, H, W)`` -> features ``(V, 1, 1, D)`` by layer."""
        return {layer: values[:, None, None] for layer, values in LayerFeatures(self.network)(*streams).items()}


def layer_encoder(checkpoint: Path) -> LayerEncoder:
    """The network of a checkpoint, for a worker."""
    return LayerEncoder(load_classifier(checkpoint).eval())


@dataclass(frozen=True)
class Elsewhere:
    """Who computes features in place of this process; their values differ by rounding, as batches are others.

    Args:
        pool: its workers.
        checkpoint: the file of the network, which they read.
        device: where it runs.
    """

    pool: Pool
    checkpoint: Path
    device: Device = "cpu"


@torch.no_grad()
def kept_features(
    scorer: Scorer, data: VideoDataModule, split: Split, store: FeatureStore, elsewhere: Elsewhere | None = None
) -> Features:
    """Features of every layer of the videos of a split; those that the store lacks are computed, and kept in it.

    Raises:
        ConfigurationError: a video may have several classes.
        DecodeError: a video cannot be read.
    """
    task, records = scorer.network.task, data.split(split)
    check_one_class(task)
    missing = [record for record in records if not store.has(record)]
    if missing and elsewhere is not None:
        report = compute_features(
            missing,
            store,
            partial(layer_encoder, elsewhere.checkpoint),
            data.input_settings.single_view(),
            pool=elsewhere.pool,
            flow_source=data.flow_source,
            device=elsewhere.device,
            tell=say,
        )
        if report.failures:
            raise DecodeError(f"{len(report.failures)} videos cannot be read, the first: {report.failures[0][1]}")
    elif missing:
        loader = data.single_view_loader(split, missing)
        with store.writing():
            for batch in tqdm(loader, desc=f"{split} videos", unit="batch", file=sys.stderr, disable=None):
                by_layer = {layer: values.cpu() for layer, values in scorer.features(batch["streams"]).items()}
                for row, index in enumerate(batch["index"].tolist()):
                    store.write(missing[index], {layer: v[row].view(1, 1, 1, -1) for layer, v in by_layer.items()})
    read = [store.read(record) for record in records]
    found: dict[str, Floats] = {
        layer: np.stack([features[layer].flatten().numpy() for features in read]) for layer in store.key.levels
    }
    labels = np.array([int(task.target(record.classes)) for record in records])
    return Features(found, labels, np.arange(len(records)))
