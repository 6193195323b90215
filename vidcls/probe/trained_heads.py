"""Stored tokens -> heads trained in PyTorch, with augmentation of tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from vidcls.layers.attentive import AttentivePool
from vidcls.layers.probe_heads import AttentiveHead, HeadSettings, LinearHead, build_head
from vidcls.probe.reduced import shapes_of

LEARNING_RATES = {"linear": 1e-2, "attentive": 1e-3}
LINEAR_RATE_OF_ONE_FEATURE = 0.15  # a step of Adam moves a logit by as many features as there are
WEIGHT_DECAYS = {"linear": 1.0, "attentive": 0.1}
BATCH_SIZE = 32
WARM_UP = 0.1  # of all steps
FRAME_DROP, TOKEN_DROP = 0.2, 0.3  # shares that a training batch does not see
MIXUP_ALPHA = 0.4  # Zhang et al.: mixup, ICLR 2018
NUM_SAMPLES_OF_STATISTICS, NUM_TOKENS_OF_STATISTICS = 512, 10_000
SMALLEST_EIGENVALUE = 1e-6  # of the largest


class StoredTokens:
    """Tokens of all videos, read video by video.

    Args:
        features: of each video: tokens ``(V, T, P, D)`` by level.
        levels: that are needed.
    """

    def __init__(self, features: Sequence[Mapping[str, Tensor]], levels: Sequence[str]) -> None:
        self.features, self.levels = features, tuple(levels)

    @torch.no_grad()
    def reduced(self, videos: NDArray[np.intp], pool: AttentivePool) -> StoredTokens:
        """The components of some videos' tokens, by the same numbers; float16, since they stay in memory."""
        found: list[Mapping[str, Tensor]] = [{} for _ in self.features]
        for video in videos:
            found[video] = {level: x.half() for level, x in pool.reduce(self.all_views(video)).items()}
        return StoredTokens(found, self.levels)

    def draw(self, videos: NDArray[np.intp], generator: torch.Generator) -> dict[str, Tensor]:
        """One view of each video, drawn: ``(B, T, P, D)`` by level."""
        first = self.levels[0]
        views = [int(torch.randint(len(self.features[video][first]), (), generator=generator)) for video in videos]
        return {
            level: torch.stack([self.features[v][level][view] for v, view in zip(videos, views, strict=True)]).float()
            for level in self.levels
        }

    def all_views(self, video: int) -> dict[str, Tensor]:
        """Every view of one video: ``(V, T, P, D)`` by level."""
        return {level: self.features[video][level].float() for level in self.levels}


def train_head(
    settings: HeadSettings,
    features: Sequence[Mapping[str, Tensor]],
    videos: NDArray[np.intp],
    labels: NDArray[np.intp],
    num_classes: int,
    *,
    seed: int,
) -> nn.Module:
    """A head trained on some of the videos, in evaluation mode.

    AdamW with a cosine schedule; a video's view, frames that are replaced by neighbours, hidden tokens and mixtures of
    two videos are drawn for each step. Classes weigh the same.

    Args:
        settings: of the head.
        features: of all videos: tokens ``(V, T, P, D)`` by level.
        videos: numbers of those that it is trained on.
        labels: (N,) classes of all videos, or (N, K) where they may have several.
        num_classes: K.
        seed: of initial weights and of all draws.
    """
    shapes = shapes_of(features[0])
    stored = StoredTokens(features, settings.levels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = build_head(settings, shapes, num_classes)
    _set_statistics(head, stored, videos)
    if isinstance(head, AttentiveHead):
        stored = stored.reduced(videos, head.pool)
    generator = torch.Generator().manual_seed(seed)
    class_weights = torch.ones(num_classes)
    if labels.ndim == 1:
        counts = np.bincount(labels[videos], minlength=num_classes)
        class_weights = torch.tensor(
            len(videos) / np.maximum(counts, 1) / np.count_nonzero(counts), dtype=torch.float32
        )
    rate, decay = LEARNING_RATES[settings.kind], WEIGHT_DECAYS[settings.kind]
    if isinstance(head, LinearHead):
        rate = min(rate, LINEAR_RATE_OF_ONE_FEATURE / head.linear.in_features**0.5)
    matrices = [p for p in head.parameters() if p.ndim > 1]
    vectors = [p for p in head.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}], lr=rate
    )
    num_steps = settings.num_epochs * -(-len(videos) // BATCH_SIZE)
    total = max(num_steps, 2)
    warm_up = 2 / total if WARM_UP * total == 1 else WARM_UP  # torch divides by the steps of the warm-up less one
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=rate, total_steps=total, pct_start=warm_up, cycle_momentum=False
    )
    head.train()
    if isinstance(head, LinearHead):
        head.norm.eval()
    for _ in range(settings.num_epochs):
        order = torch.randperm(len(videos), generator=generator).numpy()
        for start in range(0, len(videos), BATCH_SIZE):
            batch = videos[order[start : start + BATCH_SIZE]]
            loss = _loss(head, stored.draw(batch, generator), torch.from_numpy(labels[batch]), class_weights, generator)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return head.eval()


@torch.no_grad()
def trained_logits(head: nn.Module, features: Sequence[Mapping[str, Tensor]], levels: Sequence[str]) -> list[Tensor]:
    """Logits ``(V, K)`` of every view of each of some videos."""
    stored = StoredTokens(features, levels)
    return [head(stored.all_views(video)).double() for video in range(len(features))]


def _loss(
    head: nn.Module, tokens: dict[str, Tensor], labels: Tensor, class_weights: Tensor, generator: torch.Generator
) -> Tensor:
    B = len(labels)
    targets = labels.float() if labels.ndim == 2 else F.one_hot(labels, len(class_weights)).float() * class_weights
    share = float(
        np.random.default_rng(int(torch.randint(2**31, (), generator=generator))).beta(MIXUP_ALPHA, MIXUP_ALPHA)
    )
    other = torch.randperm(B, generator=generator)
    tokens = {
        level: share * x + (1 - share) * x[other]
        for level, x in ((level, _fewer_frames(x, generator)) for level, x in tokens.items())
    }
    targets = share * targets + (1 - share) * targets[other]
    if isinstance(head, AttentiveHead):
        keep = {level: torch.rand(x.shape[:3], generator=generator) >= TOKEN_DROP for level, x in tokens.items()}
        next(iter(keep.values()))[:, 0, 0] = True  # attention needs something to see
        logits = head.forward_reduced(tokens, keep)
    else:
        logits = head(tokens)
    if labels.ndim == 2:
        return F.binary_cross_entropy_with_logits(logits, targets)
    return -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean()


def _fewer_frames(x: Tensor, generator: torch.Generator) -> Tensor:
    """Tokens ``(B, T, P, D)`` in which some frames are replaced by the frame before."""
    B, T = x.shape[:2]
    dropped = torch.rand(B, T, generator=generator) < FRAME_DROP
    dropped[:, 0] = False
    kept = torch.where(dropped, 0, torch.arange(T)).cummax(dim=1).values  # (B, T)
    return x[torch.arange(B)[:, None], kept]


@torch.no_grad()
def _set_statistics(head: nn.Module, stored: StoredTokens, videos: NDArray[np.intp]) -> None:
    """Mean and deviation of what the head standardises, over evenly spread training videos."""
    step = max(1, len(videos) // NUM_SAMPLES_OF_STATISTICS)
    some = [stored.all_views(video) for video in videos[::step]]
    if isinstance(head, LinearHead):
        from vidcls.layers.descriptors import describe

        x = torch.cat([describe(tokens, head.blocks) for tokens in some]).double()
        head.norm.running_mean.copy_(x.mean(dim=0))  # type: ignore[union-attr]
        head.norm.running_var.copy_(x.var(dim=0, correction=0).clamp_min(1e-8))  # type: ignore[union-attr]
    elif isinstance(head, AttentiveHead):
        for level in stored.levels:
            x = torch.cat([tokens[level].flatten(0, 2) for tokens in some])
            step = max(1, len(x) // NUM_TOKENS_OF_STATISTICS)
            x = x[::step].double()
            mean = x.mean(dim=0)
            values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
            num = min(head.linear.in_features, len(x) - 1, len(values))
            values, vectors = values.flip(0)[:num], vectors.flip(1)[:, :num]
            kept = values > SMALLEST_EIGENVALUE * values[0].clamp_min(1e-12)
            head.pool.set_components(level, mean, vectors[:, kept] / values[kept].sqrt())
