"""A training batch -> the same with its clips mixed in pairs, and targets that say how much of which class each has."""

from __future__ import annotations

from operator import itemgetter

import torch
from torchvision import tv_tensors
from torchvision.transforms import v2

from vidcls.types import Batch


def mixed(batch: Batch, num_classes: int, *, mixup_alpha: float, cutmix_alpha: float, seed: int) -> Batch:
    """MixUp (Zhang et al. 2018) or CutMix (Yun et al. 2019) by torchvision, on whole clips, all streams alike.

    MixUp adds each clip and its neighbour in the batch with weights from Beta(alpha, alpha); CutMix puts a box of the
    neighbour into all frames. Where both have an alpha, a coin decides for the batch.

    Args:
        batch: normalised, its streams ``(B, C, T, H, W)``.
        num_classes: K, of which targets that are numbers become shares; targets ``(B, K)`` are shares as they are.
        mixup_alpha: 0 for none.
        cutmix_alpha: 0 for none.
        seed: of the draws, which leave the random numbers of the process as they are.

    Returns:
        the batch with ``target`` ``(B, K)``, float32; ``label`` stays that of each clip itself.
    """
    methods = [
        method(alpha=alpha, num_classes=num_classes, labels_getter=itemgetter("label"))
        for method, alpha in ((v2.MixUp, mixup_alpha), (v2.CutMix, cutmix_alpha))
        if alpha > 0
    ]
    if not methods or len(batch["label"]) == 0:
        return batch
    # torchvision's own type for clips: it takes no plain tensors of five axes. The last two are height and width.
    clips = {name: tv_tensors.Video(stream) for name, stream in batch["streams"].items()}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        method = methods[int(torch.randint(len(methods), ()))]
        done = method({"streams": clips, "label": batch["label"]})
    batch["streams"] = {name: stream.as_subclass(torch.Tensor) for name, stream in done["streams"].items()}
    batch["target"] = done["label"].float()
    return batch
