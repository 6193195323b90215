"""What decides the numbers in a flow field: method, bound and size, in plain types for checkpoints and manifests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal, get_args

from vidcls.video.reader import Backend

FlowMethod = Literal["dis", "farneback", "tvl1", "tvl1_opencv", "raft", "imported"]
FlowDecoder = Literal["decord", "torchcodec", "pyav", "default"]
DECODERS: tuple[FlowDecoder, ...] = get_args(FlowDecoder)
Plain = str | int | float | bool | None

_PARAMETERS: dict[FlowMethod, dict[str, Plain]] = {
    # OpenCV's medium preset is the most exact of the three; smaller frames are continued to min_side_px.
    "dis": {"preset": "medium", "min_side_px": 32, "color": "grey"},
    # The values of OpenCV's own example, with two more pyramid levels for faster motion.
    "farneback": {
        "pyr_scale": 0.5,
        "levels": 5,
        "winsize": 15,
        "iterations": 3,
        "poly_n": 5,
        "poly_sigma": 1.2,
        "min_side_px": 32,
        "color": "grey",
    },
    # Those of OpenCV's TV-L1.
    "tvl1": {
        "tau": 0.25,
        "lambda": 0.15,
        "theta": 0.3,
        "scales": 5,
        "scale_step": 0.8,
        "warps": 5,
        "epsilon": 0.01,
        "inner_iterations": 30,
        "outer_iterations": 10,
        "median_px": 5,
        "color": "grey",
    },
    # OpenCV's defaults, written out so that a change of theirs is seen.
    "tvl1_opencv": {
        "tau": 0.25,
        "lambda": 0.15,
        "theta": 0.3,
        "scales": 5,
        "scale_step": 0.8,
        "warps": 5,
        "epsilon": 0.01,
        "inner_iterations": 30,
        "outer_iterations": 10,
        "median_px": 5,
        "min_side_px": 32,
        "color": "grey",
    },
    # 12 updates as in torchvision's reference; three levels of correlation below 1/8 need 128 px.
    "raft": {"num_updates": 12, "min_side_px": 128, "multiple_px": 8},
    "imported": {},
}


@dataclass(frozen=True, slots=True)
class FlowSettings:
    """How flow is computed and stored; equal settings and equal frames give equal fields.

    Args:
        method: the estimator: dis (fast and good, OpenCV), farneback (OpenCV), tvl1 (PyTorch, best on a GPU),
            tvl1_opencv (slow, needs opencv-contrib-python), raft (a network, torchvision). "imported" is for folders
            that another tool wrote; it cannot be computed.
        bound_px: the largest displacement that is kept, in pixels per frame at the stored size; anything larger is
            cut to it. The step between two stored values is bound_px / 127.
        short_side_px: frames are resized so that their shorter side has this length before the estimate, never
            enlarged; None keeps the video's own size.
        weights: for raft only: raft_small or raft_large (downloaded by torchvision), or a file of weights; None is
            raft_small.
        decoder: what reads the frames, since flow differs with their rounding: a decoder, or ``default``, which is
            decord with the others behind it. None is what reads the clips, and for a store the default.
    """

    method: FlowMethod = "dis"
    bound_px: float = 20.0
    short_side_px: int | None = None
    weights: str | None = None
    decoder: FlowDecoder | None = None

    def __post_init__(self) -> None:
        if self.method not in get_args(FlowMethod):
            raise ValueError(f"flow method {self.method!r} is unknown: choose one of {', '.join(COMPUTED_METHODS)}")
        if not (math.isfinite(self.bound_px) and self.bound_px > 0):
            raise ValueError(f"flow bound_px must be a positive number of pixels, got {self.bound_px}")
        if self.short_side_px is not None and self.short_side_px < 8:
            raise ValueError(f"flow short_side_px must be at least 8 or None, got {self.short_side_px}")
        if self.weights is not None and self.method != "raft":
            raise ValueError(f"flow weights={self.weights!r} have no effect on method {self.method!r}: remove them")
        if self.decoder is not None and (self.decoder not in DECODERS or self.method == "imported"):
            allowed = "none for imported flow" if self.method == "imported" else ", ".join(DECODERS)
            raise ValueError(f"flow decoder is {self.decoder!r}; allowed is {allowed}")
        object.__setattr__(self, "bound_px", float(self.bound_px))  # 20 and 20.0 are one setting

    def parameters(self) -> dict[str, Plain]:
        """The method's fixed constants, which a store carries beside the settings."""
        return dict(_PARAMETERS[self.method])

    def to_dict(self) -> dict[str, Plain]:
        """The settings as plain types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, object]) -> FlowSettings:
        """The inverse of :meth:`to_dict`; an unknown or wrong entry raises ValueError."""
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(plain) - known):
            raise ValueError(f"flow settings have no {', '.join(unknown)}: allowed are {', '.join(sorted(known))}")
        method, bound_px = plain.get("method", "dis"), plain.get("bound_px", 20.0)
        short_side_px, weights = plain.get("short_side_px"), plain.get("weights")
        if isinstance(bound_px, bool) or not isinstance(bound_px, int | float):
            raise ValueError(f"flow bound_px must be a number, got {bound_px!r}")
        if isinstance(short_side_px, bool) or not isinstance(short_side_px, int | None):
            raise ValueError(f"flow short_side_px must be a whole number or none, got {short_side_px!r}")
        if not isinstance(weights, str | None):
            raise ValueError(f"flow weights must be a name or a path, got {weights!r}")
        decoder = next((name for name in DECODERS if name == plain.get("decoder")), None)
        if decoder is None and plain.get("decoder") is not None:
            raise ValueError(f"flow decoder is {plain['decoder']!r}; allowed is {', '.join(DECODERS)}")
        for choice in get_args(FlowMethod):
            if method == choice:
                return cls(choice, float(bound_px), short_side_px, weights, decoder)
        raise ValueError(f"flow method {method!r} is unknown: choose one of {', '.join(COMPUTED_METHODS)}")

    @property
    def is_exact_alone(self) -> bool:
        """Whether a field is the same to the last bit, however many are computed with it: OpenCV takes pair by pair."""
        return self.method in ("dis", "farneback", "tvl1_opencv")

    def stored_size(self, height_px: int, width_px: int) -> tuple[int, int]:
        """Height and width of the fields of a video of this size, in pixels."""
        short_px = min(height_px, width_px)
        if self.short_side_px is None or self.short_side_px >= short_px:
            return height_px, width_px
        # Rounded to the nearest pixel in integers, so that no platform rounds differently.
        return tuple((2 * side * self.short_side_px + short_px) // (2 * short_px) for side in (height_px, width_px))  # type: ignore[return-value]

    def describe(self) -> str:
        """The settings in a few words, for messages."""
        size = "own size" if self.short_side_px is None else f"short side {self.short_side_px}"
        weights = f", weights {self.weights}" if self.weights else ""
        decoder = f", decoder {self.decoder}" if self.decoder else ""
        return f"{self.method}, bound {self.bound_px:g} px, {size}{weights}{decoder}"

    def allows(self, stored: FlowSettings) -> bool:
        """Whether flow of the settings ``stored`` is what these ask for; without a decoder they ask for none."""
        names = [None if self.decoder is None else each.decoder or "default" for each in (self, stored)]
        return names[0] == names[1] and replace(self, decoder=None) == replace(stored, decoder=None)

    def backend(self, clips: Backend | None) -> Backend | None:
        """The decoder to open a video with where ``clips`` reads the clips; None tries them in turn."""
        return clips if self.decoder is None else None if self.decoder == "default" else self.decoder

    def matches(self, plain: Mapping[str, object]) -> bool:
        """Whether these are the settings that a file has in plain types; older ones name no decoder."""
        return {"decoder": None, **plain} == self.to_dict()


COMPUTED_METHODS: tuple[FlowMethod, ...] = tuple(m for m in get_args(FlowMethod) if m != "imported")
