"""A candidate -> its probabilities for videos that were held out, and the head fitted on all videos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from vidcls.layers.descriptors import Block, Shape, blocks_of
from vidcls.layers.probe_heads import AFFINE, HeadSettings, build_head
from vidcls.probe.folds import Fold
from vidcls.probe.linear_heads import (
    Components,
    Floats,
    Labels,
    fit_classifier,
    fit_components,
    fit_scale,
    probabilities_of,
)
from vidcls.probe.reduced import Reduced, Span, Tokens, Views
from vidcls.probe.trained_heads import train_head, trained_logits


class Fitting:
    """Fits candidates on folds and on all videos; what several of them need is computed once."""

    def __init__(
        self,
        features: Tokens,
        labels: Labels,
        folds: Sequence[Fold],
        shapes: dict[str, Shape],
        num_classes: int,
        seed: int,
    ) -> None:
        self.features, self.labels, self.folds, self.shapes = features, labels, folds, shapes
        self.num_classes, self.seed = num_classes, seed
        self.views = Views(features)
        self.view_labels = labels[self.views.video]
        self.span: Span | None = None
        self.reduced: dict[tuple[Block, ...], Reduced] = {}
        self.components: dict[
            tuple[tuple[Block, ...], int], list[tuple[NDArray[np.intp], NDArray[np.intp], Components]]
        ] = {}
        self.scales: dict[HeadSettings, float] = {}

    def prepare(self, candidates: Sequence[HeadSettings]) -> None:
        """Read the features once, for all descriptors."""
        descriptors = dict.fromkeys(self._blocks(each) for each in candidates if each.kind in AFFINE)
        if descriptors:
            self.span = Span(self.views, list(dict.fromkeys(block for blocks in descriptors for block in blocks)))
            self.reduced = self.span.reduce(list(descriptors))

    def out_of_fold(self, candidate: HeadSettings) -> Floats:
        """Probabilities ``(N, K)`` of each video by a head that was fitted without its fold."""
        if candidate.kind in AFFINE:
            logits = self._affine_out_of_fold(candidate)
            self.scales[candidate] = fit_scale(logits, self.view_labels)  # strong regularisation leaves them near even
            logits = logits * self.scales[candidate]
        else:
            logits = self._trained_out_of_fold(candidate)
        sums = np.zeros((len(self.labels), self.num_classes))
        np.add.at(sums, self.views.video, probabilities_of(logits, self.labels))
        return sums / np.bincount(self.views.video)[:, None]

    def final(self, candidate: HeadSettings) -> nn.Module:
        """The candidate fitted on all videos."""
        if candidate.kind not in AFFINE:
            everything = np.arange(len(self.labels))
            return train_head(candidate, self.features, everything, self.labels, self.num_classes, seed=self.seed)
        assert self.span is not None
        reduced = self.reduced[self._blocks(candidate)]
        components = fit_components(reduced.z, candidate.pca)
        weight, bias = fit_classifier(
            candidate.kind,
            components(reduced.z),
            self.view_labels,
            candidate.strength,
            self.num_classes,
        )
        on_z = components.matrix @ weight
        scale = self.scales.get(candidate, 1.0)
        weights, biases = self.span.fold(reduced, scale * on_z, scale * (bias - components.mean @ on_z))
        head = build_head(candidate, self.shapes, self.num_classes)
        with torch.no_grad():
            head.linear.weight.copy_(torch.from_numpy(weights))  # type: ignore[union-attr, operator]
            head.linear.bias.copy_(torch.from_numpy(biases))  # type: ignore[union-attr, operator]
        return head

    def _blocks(self, candidate: HeadSettings) -> tuple[Block, ...]:
        return blocks_of(self.shapes, candidate.levels, candidate.descriptor, candidate.places, candidate.scale)

    def _affine_out_of_fold(self, candidate: HeadSettings) -> Floats:
        z = self.reduced[self._blocks(candidate)].z
        key = (self._blocks(candidate), candidate.pca)
        if key not in self.components:
            self.components[key] = []
            for held in self.folds:
                out = np.isin(self.views.video, held)
                train, test = np.flatnonzero(~out), np.flatnonzero(out)
                self.components[key].append((train, test, fit_components(z[train], candidate.pca)))
        logits = np.empty((len(z), self.num_classes))
        for train, test, components in self.components[key]:
            weight, bias = fit_classifier(
                candidate.kind,
                components(z[train]),
                self.view_labels[train],
                candidate.strength,
                self.num_classes,
            )
            logits[test] = components(z[test]) @ weight + bias
        return logits

    def _trained_out_of_fold(self, candidate: HeadSettings) -> Floats:
        logits = np.empty((len(self.views.video), self.num_classes))
        for held in self.folds:
            train = np.setdiff1d(np.arange(len(self.labels)), held)
            head = train_head(candidate, self.features, train, self.labels, self.num_classes, seed=self.seed)
            for video, own in zip(
                held, trained_logits(head, [self.features[v] for v in held], candidate.levels), strict=True
            ):
                logits[self.views.starts[video] : self.views.starts[video + 1]] = own.numpy()
        return logits
