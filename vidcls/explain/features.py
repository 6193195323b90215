"""A model and videos -> what each of its layers knows: features, a linear probe by layer, pictures of the embedding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidcls.models import VideoClassifier
from vidcls.types import Batch

LOGITS = "logits"
MOST_ITERATIONS = 2000
PERPLEXITY = 30.0

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """The features of N videos in every layer, in order of depth.

    Args:
        by_layer: ``(N, D)`` by the layer's name; the mean over places and times of one centred clip.
        labels: the number of each video's class ``(N,)``.
        indices: the number of each video in its split ``(N,)``.
    """

    by_layer: dict[str, Floats]
    labels: NDArray[np.int64]
    indices: NDArray[np.int64]


@dataclass(frozen=True)
class Probe:
    """How well a linear classifier reads the class from one layer.

    Args:
        layer: its name.
        num_features: D.
        train_accuracy: mean class accuracy on the videos that it was fitted to.
        test_accuracy: on those that it was not.
    """

    layer: str
    num_features: int
    train_accuracy: float
    test_accuracy: float


@torch.no_grad()
def collect_features(model: VideoClassifier, batches: Iterable[Batch]) -> Features:
    """Features of every stage of every backbone, and the logits.

    Args:
        model: in evaluation mode.
        batches: normalised, one centred clip of each video, on the device of the model.
    """
    parts: dict[str, list[Floats]] = {}
    labels: list[Tensor] = []
    indices: list[Tensor] = []
    for batch in batches:
        B = len(batch["label"])
        if B == 0:
            continue
        with _listening(model) as heard:
            logits = model(*(batch[name] for name in model.streams))
        for layer, output in {**heard, LOGITS: logits}.items():
            parts.setdefault(layer, []).append(_by_video(output, B))
        labels.append(batch["label"].cpu())
        indices.append(batch["index"].cpu())
    by_layer = {layer: np.concatenate(values) for layer, values in parts.items()}
    return Features(by_layer, torch.cat(labels).numpy(), torch.cat(indices).numpy())


def linear_probes(train: Features, test: Features, *, seed: int = 0) -> list[Probe]:
    """A logistic regression on the features of each layer, fitted to the training videos and asked about the others.

    Features are standardised by the training videos; classes count equally, and so do they in the accuracies (Alain and
    Bengio: Understanding Intermediate Layers Using Linear Classifier Probes, 2016).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    probes: list[Probe] = []
    for layer, features in train.by_layer.items():
        regression = LogisticRegression(max_iter=MOST_ITERATIONS, class_weight="balanced", random_state=seed)
        probe = make_pipeline(StandardScaler(), regression).fit(features, train.labels)
        accuracies = [
            float(balanced_accuracy_score(labels, probe.predict(values)))
            for values, labels in ((features, train.labels), (test.by_layer[layer], test.labels))
        ]
        probes.append(Probe(layer, features.shape[1], *accuracies))
    return probes


def embeddings(features: Floats, *, seed: int = 0) -> dict[str, Floats]:
    """Features ``(N, D)`` in the plane ``(N, 2)``: by principal components, and by t-SNE (van der Maaten 2008)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    centred = features - features.mean(axis=0)
    num = len(features)
    num_components = min(2, *features.shape)
    plane = PCA(n_components=num_components, random_state=seed).fit_transform(centred)
    found = {"PCA": np.pad(plane, ((0, 0), (0, 2 - num_components))).astype(np.float32)}
    if num > 3:  # t-SNE wants more points than its perplexity
        tsne = TSNE(n_components=2, perplexity=min(PERPLEXITY, (num - 1) / 3), init="pca", random_state=seed)
        start = features if features.shape[1] > 1 else np.repeat(features, 2, axis=1)
        found["t-SNE"] = tsne.fit_transform(start).astype(np.float32)
    return found


@contextmanager
def _listening(model: VideoClassifier) -> Iterator[dict[str, Tensor]]:
    """What the stages of all backbones give, by name, filled while the model runs."""
    heard: dict[str, Tensor] = {}

    def keep(layer: str, output: Tensor | tuple[Tensor, object]) -> None:
        heard[layer] = output if isinstance(output, Tensor) else output[0]

    several = len(model.backbones) > 1
    handles = [
        stage.register_forward_hook(lambda _m, _i, output, name=name: keep(name, output))
        for path, backbone in model.backbones.items()
        for name, stage in _named_stages(path if several else "", backbone.stages.items())
    ]
    try:
        yield heard
    finally:
        for handle in handles:
            handle.remove()


def _named_stages(path: str, stages: Iterable[tuple[str, torch.nn.Module]]) -> Sequence[tuple[str, torch.nn.Module]]:
    network = path.rpartition(".")[2]
    return [(f"{network} {name}" if network else name, stage) for name, stage in stages]


def _by_video(output: Tensor, num_videos: int) -> Floats:
    """Logits ``(B, K)``, maps ``(B*N, C, ...)`` or tokens ``(B*N, P, D)`` -> one vector for each video ``(B, C)``."""
    values = output.float()
    if values.ndim == 3:
        values = values.mean(dim=1)
    values = values.flatten(2).mean(dim=2) if values.ndim > 2 else values
    return values.unflatten(0, (num_videos, -1)).mean(dim=1).cpu().numpy()
