"""A seed -> a scene (background, textured disc, place) -> its frames, for any appearance and any motion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SPEED_PX = 2  # per frame
DARKEST, BRIGHTEST = 70, 185  # luma; a colour's offset stays within 0 to 255

# Added to a grey pixel. Both change the Rec. 601 luma (.299 R + .587 G + .114 B) by .1 of 255, which rounds to nothing.
APPEARANCES: dict[str, tuple[int, int, int]] = {"cyan": (-70, 30, 30), "red": (70, -30, -30)}
# Steps in x (to the right) and y (downwards).
MOTIONS: dict[str, tuple[int, int]] = {"down": (0, 1), "left": (-1, 0), "right": (1, 0), "up": (0, -1)}


@dataclass(frozen=True, eq=False)
class Scene:
    """What the clips of one scene share.

    Args:
        background: ``(H, W)`` luma.
        disc: ``(D, D)`` luma; what lies outside the circle is not seen.
        x_px: left edge of the disc in the middle frame.
        y_px: its upper edge.
    """

    background: NDArray[np.uint8]
    disc: NDArray[np.uint8]
    x_px: int
    y_px: int

    def frames(self, appearance: str | None, motion: str, num_frames: int) -> NDArray[np.uint8]:
        """``(T, 3, H, W)`` RGB: the disc moves by `SPEED_PX` per frame over the still background, and wraps.

        Every frame is a function of the scene, the appearance and the place of the disc alone, and all motions have
        the disc at the same place in the middle frame, ``num_frames // 2``. Without an appearance there is no disc.
        """
        H, W = self.background.shape
        clip = np.repeat(self.background[None, :, :, None], 3, axis=3).repeat(num_frames, axis=0)  # (T, H, W, 3)
        if appearance is None:
            return clip.transpose(0, 3, 1, 2)  # (T, 3, H, W)
        D = len(self.disc)
        row, column = np.mgrid[:D, :D]
        inside = (row - (D - 1) / 2) ** 2 + (column - (D - 1) / 2) ** 2 <= (D / 2) ** 2
        coloured = self.disc[inside][:, None].astype(np.int16) + np.array(
            APPEARANCES[appearance], np.int16
        )  # (pixels, 3)
        step_x, step_y = MOTIONS[motion]
        for t in range(num_frames):
            moved = SPEED_PX * (t - num_frames // 2)
            y = (row[inside] + self.y_px + moved * step_y) % H
            x = (column[inside] + self.x_px + moved * step_x) % W
            clip[t, y, x] = coloured
        return clip.transpose(0, 3, 1, 2)  # (T, 3, H, W)


def make_scenes(num_scenes: int, *, size_px: int, seed: tuple[int, ...], height_px: int | None = None) -> list[Scene]:
    """Scenes whose discs stand spread evenly over the width and, in another order, over the height of the middle frame.

    Where ``num_scenes`` is a multiple of ``size_px / SPEED_PX``, a shift by `SPEED_PX` maps the set of places of each
    coordinate onto itself; so the discs of all motions then have exactly the same places, at every frame.

    Args:
        num_scenes: how many.
        size_px: width.
        seed: of everything random.
        height_px: the same as the width where None.
    """
    height_px = height_px or size_px
    rng = np.random.default_rng(seed)
    xs, ys = (rng.permutation(np.arange(num_scenes) * side // num_scenes) for side in (size_px, height_px))
    diameter = 3 * min(size_px, height_px) // 8
    return [
        Scene(_texture(rng, height_px, size_px), _texture(rng, diameter, diameter), int(x), int(y))
        for x, y in zip(xs, ys, strict=True)
    ]


def _texture(rng: np.random.Generator, height_px: int, width_px: int) -> NDArray[np.uint8]:
    """``(H, W)`` smooth noise that wraps, from `DARKEST` to `BRIGHTEST`; alike for discs and backgrounds."""
    noise = rng.random((height_px, width_px))
    for axis in (0, 1, 0, 1):
        noise = (np.roll(noise, 1, axis) + 2 * noise + np.roll(noise, -1, axis)) / 4
    noise = (noise - noise.min()) / (noise.max() - noise.min())
    return np.round(DARKEST + (BRIGHTEST - DARKEST) * noise).astype(np.uint8)
