"""A model and videos -> what each of its layers knows: features, a linear probe by layer, pictures of the embedding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidcls.errors import ConfigurationError
from vidcls.inference import Scorer
from vidcls.tasks import Task
from vidcls.types import Batch

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
def collect_features(scorer: Scorer, batches: Iterable[Batch]) -> Features:
    """Features of every stage of every backbone, and the logits.

    Args:
        scorer: of a network in evaluation mode.
        batches: one centred clip of each video.

    Raises:
        ConfigurationError: a video may have several classes.
    """
    check_one_class(scorer.network.task)
    by_layer: dict[str, list[Floats]] = {}
    labels: list[Tensor] = []
    indices: list[Tensor] = []
    for batch in batches:
        if len(batch["label"]) == 0:
            continue
        for layer, values in scorer.features(batch["streams"]).items():
            by_layer.setdefault(layer, []).append(values.cpu().numpy())
        labels.append(batch["label"].cpu())
        indices.append(batch["index"].cpu())
    joined = {layer: np.concatenate(values) for layer, values in by_layer.items()}
    return Features(joined, torch.cat(labels).numpy(), torch.cat(indices).numpy())


def check_one_class(task: Task) -> None:
    """ConfigurationError where a video may have several classes."""
    if not task.has_one_class:
        raise ConfigurationError(
            f"the model has the task {task.name}: what layers know is asked where each video has one class"
        )


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
