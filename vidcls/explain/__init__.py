"""A model and a video -> where and when it looked, which kernels it learnt, what its layers know."""

from vidcls.explain.explainer import ClipHeat, Explainer, Explanation
from vidcls.explain.heat import METHODS, Method, heat_maps
from vidcls.explain.over_time import TimeEffects, time_effects

__all__ = [
    "METHODS",
    "ClipHeat",
    "Explainer",
    "Explanation",
    "Method",
    "TimeEffects",
    "heat_maps",
    "time_effects",
]
