"""Heat and frames, or heat and flow -> pictures of both."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vidcls.explain.explainer import ClipHeat, Explanation
from vidcls.flow.pictures import direction_picture

HEAT_SHARE = 0.5  # how much of the picture full heat covers
_LEAST_BOUND_PX = 1.0  # flow pictures: a still scene does not become coloured noise


def heat_colours(heat: Tensor) -> Tensor:
    """Heat ``(..., H, W)`` from 0 to 1 -> colours ``(..., 3, H, W)`` uint8 of matplotlib's inferno."""
    from matplotlib import colormaps

    table = torch.tensor(np.asarray(colormaps["inferno"](np.arange(256)))[:, :3] * 255).round().to(torch.uint8)
    return table[(heat.clamp(0, 1) * 255).round().long()].movedim(-1, -3)


def laid_on(frames: Tensor, heat: Tensor) -> Tensor:
    """Frames ``(..., 3, H, W)`` uint8 under heat ``(..., H, W)`` from 0 to 1; where it is cold, the frame stays."""
    share = (HEAT_SHARE * heat.clamp(0, 1))[..., None, :, :]
    return (frames * (1 - share) + heat_colours(heat) * share).round().clamp(0, 255).to(torch.uint8)


def scaled(explanation: Explanation) -> list[dict[str, Tensor]]:
    """The heat of every clip by title, divided by the greatest of its title in the whole video."""
    most = {title: max(float(clip.heats[title].max()) for clip in explanation.clips) for title in explanation.titles}
    return [
        {title: heat / most[title] if most[title] > 0 else heat for title, heat in clip.heats.items()}
        for clip in explanation.clips
    ]


def flow_pictures(clip: ClipHeat, title: str, bound_px: float) -> Tensor:
    """The fields that a heat belongs to as colours of direction ``(F, 3, H, W)`` uint8."""
    fields = clip.pixels[clip.streams[title].name]
    return torch.stack([direction_picture(field, bound_px=bound_px) for field in fields])


def flow_bound_px(explanation: Explanation) -> float:
    """The length of the longest vectors, but for the 1 % longest, that the flow pictures are scaled to."""
    names = dict.fromkeys(s.name for s in explanation.clips[0].streams.values() if s.kind == "flow")
    values = torch.cat([clip.pixels[name].norm(dim=1).flatten() for name in names for clip in explanation.clips])
    return max(_LEAST_BOUND_PX, float(np.quantile(values.numpy(), 0.99)))
