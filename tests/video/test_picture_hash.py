from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from vidcls.video.picture_hash import HASH_BITS, NUM_HASHED, PictureHashes, hashes_in, mirrored, picture_hash


def place(seed: int) -> torch.Tensor:
    """A smooth random picture (3, 96, 128), as of a room."""
    rough = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(seed))
    return (F.interpolate(rough, (96, 128), mode="bicubic")[0].clamp(0, 1) * 220).to(torch.uint8)


def bits_apart(one: torch.Tensor, other: torch.Tensor) -> int:
    hashes = [hashes_in((picture_hash(frame) or b"").hex()) for frame in (one, other)]
    return int(np.bitwise_count(hashes[0] ^ hashes[1]).sum())


def test_a_smaller_darker_noisy_copy_has_nearly_the_same_hash_and_another_place_has_not() -> None:
    picture = place(0)
    noise = torch.randint(-6, 7, (3, 48, 64), generator=torch.Generator().manual_seed(1))
    small = F.interpolate(picture[None].float(), (48, 64), mode="area")[0]
    copy = (small * 0.8 + noise).clamp(0, 255).to(torch.uint8)
    assert bits_apart(picture, copy) <= 12
    assert min(bits_apart(picture, place(seed)) for seed in range(1, 20)) > 60


def test_a_mirrored_picture_has_nearly_the_mirrored_hash() -> None:
    hashes = hashes_in((picture_hash(place(0)) or b"").hex())
    flipped = hashes_in((picture_hash(place(0).flip(-1)) or b"").hex())
    assert int(np.bitwise_count(mirrored(hashes) ^ flipped).sum()) <= 12
    assert int(np.bitwise_count(hashes ^ flipped).sum()) > HASH_BITS / 4
    assert (mirrored(mirrored(hashes)) == hashes).all()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_that_shows_nothing_has_no_hash(level: int) -> None:
    assert picture_hash(torch.full((3, 96, 128), level, dtype=torch.uint8)) is None


def test_first_and_last_frame_are_hashed_however_the_frames_come() -> None:
    frames = torch.stack([place(seed) for seed in range(30)])
    together, apart = PictureHashes(30), PictureHashes(30)
    together.add(0, frames)
    for first in range(0, 30, 7):
        apart.add(first, frames[first : first + 7])
    assert together.text == apart.text
    hashes = hashes_in(together.text)
    assert hashes.shape == (NUM_HASHED, HASH_BITS // 64)
    ends = [hashes_in((picture_hash(frames[k]) or b"").hex())[0] for k in (0, 29)]
    assert (hashes[[0, -1]] == np.stack(ends)).all()


def test_a_still_video_has_one_hash() -> None:
    still = PictureHashes(20)
    still.add(0, place(3).expand(20, 3, 96, 128))
    assert len(hashes_in(still.text)) == 1
