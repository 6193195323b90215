"""Descriptors of all videos -> few numbers for each view, from which any linear head is fitted, and back again.

There are far more features than videos, so that all that a linear head can use are the projections on the videos'
own span: with the features X ``(M, F)`` of M views and the eigenvectors of their Gram matrix
``X X' = U S² U'`` the coordinates ``Z = U S`` keep all distances, and a head on Z is one on X with the weights
``X' U / S w``. Gram matrices of blocks add up, so that each block is read once for all descriptors in which it occurs.
Each block is scaled as a whole to a total variance of 1, so that a level with few channels, or a place, is not lost
among thousands of features of another, as in multiple factor analysis (Escofier and Pagès: Multiple factor analysis,
Computational Statistics and Data Analysis 1994). Features are not standardised one by one: those that hardly change in
the training videos would be magnified where other videos change them.
With very many videos the span is that of some of them (the Nyström approximation: Williams and Seeger: Using the
Nyström method to speed up kernel machines, NIPS 2000).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidcls.layers.descriptors import Block, Shape

Floats = NDArray[np.float64]
Tokens = Sequence[Mapping[str, Tensor]]  # of each video, by level: (V, T, P, D)

MOST_BASIS_BYTES = 1_500_000_000  # of the views that span the space
MOST_BASIS_VIEWS, FEWEST_BASIS_VIEWS = 3000, 1000
MOST_COORDINATES = 1000  # where the span is that of some views only
CHUNK_VIDEOS = 64
CHUNK_FEATURES = 4096
SMALLEST_EIGENVALUE = 1e-9  # of the largest: below is rounding


def shapes_of(tokens: Mapping[str, Tensor]) -> dict[str, Shape]:
    """(T, P, D) by level, of the tokens ``(V, T, P, D)`` of one video."""
    return {level: (x.shape[1], x.shape[2], x.shape[3]) for level, x in tokens.items()}


class Views:
    """The views of all videos, one after another, and blocks of their descriptors.

    Args:
        features: of each video: tokens ``(V, T, P, D)`` by level, all of the same T, P and D.
    """

    def __init__(self, features: Tokens) -> None:
        self.features = features
        level = next(iter(features[0]))
        counts = np.array([len(each[level]) for each in features])
        self.video = np.repeat(np.arange(len(counts)), counts)  # (M,) of which video
        self.starts = np.concatenate([[0], np.cumsum(counts)])

    def of_videos(self, videos: Sequence[int] | NDArray[np.intp], level: str) -> Tensor:
        """Tokens ``(views, T, P, D)`` of some videos."""
        return torch.cat([self.features[video][level].float() for video in videos])

    def chunks(self, videos: Sequence[int] | NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
        """The same videos, some at a time."""
        for start in range(0, len(videos), CHUNK_VIDEOS):
            yield np.asarray(videos[start : start + CHUNK_VIDEOS])

    def blocks(
        self, videos: Sequence[int] | NDArray[np.intp], blocks: Sequence[Block]
    ) -> dict[Block, NDArray[np.float32]]:
        """Each block ``(views, F)`` of some videos, read once."""
        found: dict[Block, list[Tensor]] = {block: [] for block in blocks}
        levels = dict.fromkeys(block.level for block in blocks)
        for chunk in self.chunks(videos):
            tokens = {level: self.of_videos(chunk, level) for level in levels}
            for block, parts in found.items():
                parts.append(block(tokens[block.level]))
        return {block: torch.cat(parts).numpy() for block, parts in found.items()}


@dataclass(frozen=True)
class BlockSpan:
    """One block of the views that span the space: its statistics, features and Gram matrix."""

    mean: NDArray[np.float32]  # (F,)
    scale: float  # the square root of the total variance
    features: NDArray[np.float32]  # (S, F) centred, of total variance 1
    gram: Floats  # (S, S)


@dataclass(frozen=True)
class Reduced:
    """A descriptor in the coordinates of the views' span.

    Args:
        blocks: side by side.
        z: coordinates of all views ``(M, R)``.
        loadings: ``(S, R)``: features ``(S, F)`` of the spanning views, transposed, times these are the directions.
    """

    blocks: tuple[Block, ...]
    z: Floats
    loadings: Floats


class Span:
    """The space that the views of the training videos span, block by block.

    Args:
        views: of the training videos.
        blocks: of all descriptors, each once.
    """

    def __init__(self, views: Views, blocks: Sequence[Block]) -> None:
        self.views = views
        num_videos, num_views = len(views.features), len(views.video)
        shapes = shapes_of(views.features[0])
        num_features = sum(block.num_features(shapes[block.level]) for block in blocks)
        most = int(np.clip(MOST_BASIS_BYTES // (4 * num_features), FEWEST_BASIS_VIEWS, MOST_BASIS_VIEWS))
        self.is_whole = num_views <= most
        step = num_views / most
        self.videos = np.arange(num_videos)
        if not self.is_whole:
            self.videos = np.unique((np.arange(int(num_videos / step)) * step).astype(np.intp))
        self.blocks = {block: _span(features) for block, features in views.blocks(self.videos, blocks).items()}

    def reduce(self, descriptors: Sequence[tuple[Block, ...]]) -> dict[tuple[Block, ...], Reduced]:
        """Each descriptor in coordinates of its own."""
        axes = {blocks: self._axes(blocks) for blocks in descriptors}
        if self.is_whole:
            return {
                blocks: Reduced(blocks, vectors * values, vectors / values)
                for blocks, (vectors, values) in axes.items()
            }
        return self._projected({blocks: vectors / values for blocks, (vectors, values) in axes.items()})

    def fold(self, reduced: Reduced, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """A head on coordinates, ``(R, K)`` and ``(K,)`` -> the same on features: ``(K, F)`` and ``(K,)``."""
        on_views = reduced.loadings @ weight  # (S, K)
        weights = []
        for block in reduced.blocks:
            span = self.blocks[block]
            own = (span.features.T.astype(np.float64) @ on_views).T / span.scale  # (K, F)
            weights.append(own)
            bias = bias - own @ span.mean.astype(np.float64)
        return np.concatenate(weights, axis=1), bias

    def _axes(self, blocks: tuple[Block, ...]) -> tuple[Floats, Floats]:
        values, vectors = np.linalg.eigh(sum(self.blocks[block].gram for block in blocks))
        kept = values > SMALLEST_EIGENVALUE * max(values[-1], 1e-300)
        if not kept.any():  # every video alike
            kept, values = kept | (np.arange(len(values)) == len(values) - 1), np.ones_like(values)
        values, vectors = values[kept][::-1], vectors[:, kept][:, ::-1]
        if not self.is_whole:
            values, vectors = values[:MOST_COORDINATES], vectors[:, :MOST_COORDINATES]
        signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
        return vectors * signs, np.sqrt(values)

    def _projected(self, loadings: Mapping[tuple[Block, ...], Floats]) -> dict[tuple[Block, ...], Reduced]:
        axes = {
            blocks: {block: self.blocks[block].features.T @ each.astype(np.float32) for block in blocks}
            for blocks, each in loadings.items()
        }
        parts: dict[tuple[Block, ...], list[Floats]] = {blocks: [] for blocks in loadings}
        for chunk in self.views.chunks(np.arange(len(self.views.features))):
            features = self.views.blocks(chunk, list(self.blocks))
            for blocks, directions in axes.items():
                z = sum(
                    ((features[block] - self.blocks[block].mean) / self.blocks[block].scale) @ directions[block]
                    for block in blocks
                )
                parts[blocks].append(np.asarray(z, np.float64))
        return {blocks: Reduced(blocks, np.concatenate(z), loadings[blocks]) for blocks, z in parts.items()}


def _span(features: NDArray[np.float32]) -> BlockSpan:
    """Centre and scale in place, and sum products in double precision."""
    mean = features.mean(axis=0, dtype=np.float64)
    total = float(np.sqrt(features.var(axis=0, dtype=np.float64).sum()))
    scale = total if total > 1e-6 * max(1.0, float(np.abs(mean).max())) else 1.0  # or a block that never changes
    features -= mean.astype(np.float32)
    features /= np.float32(scale)
    gram = np.zeros((len(features), len(features)))
    for start in range(0, features.shape[1], CHUNK_FEATURES):
        chunk = features[:, start : start + CHUNK_FEATURES].astype(np.float64)
        gram += chunk @ chunk.T
    return BlockSpan(mean.astype(np.float32), scale, features, gram)
