"""Frames are resized bit for bit as torchvision resizes them, flow to the rounding of float32, and crops lie alike."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as F

from vidcls.flow import fields
from vidcls.runtime.pixels import test_crops as crops_of
from vidcls.runtime.resize import resize_flow, resize_frames
from vidcls.transforms import TransformSettings, evaluation_transform
from vidcls.types import LoadedKind

SIDE_PX = st.integers(3, 150)  # torch itself fails on frames of one pixel
is_native = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
needs_native = pytest.mark.skipif(not is_native, reason="without vector units torchvision resizes in floating point")


def noise(seed: int, *shape: int, hard: bool = False) -> np.ndarray:
    frames = np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)
    return np.where(frames > 127, np.uint8(255), np.uint8(0)) if hard else frames


@needs_native
@settings(max_examples=150)
@given(SIDE_PX, SIDE_PX, SIDE_PX, SIDE_PX, st.integers(0, 2**32 - 1), st.booleans(), st.booleans())
def test_frames_are_resized_bit_for_bit_as_by_torchvision(
    height: int, width: int, new_height: int, new_width: int, seed: int, hard: bool, colours_together: bool
) -> None:
    frames = noise(seed, 2, height, width, 3, hard=hard).transpose(0, 3, 1, 2)
    if not colours_together:
        frames = np.ascontiguousarray(frames)
    expected = F.resize(torch.from_numpy(frames), [new_height, new_width], antialias=True)
    assert np.array_equal(resize_frames(frames, (new_height, new_width)), expected.numpy())


@needs_native
@pytest.mark.parametrize("size", [(720, 1280), (1081, 1923)])
@pytest.mark.parametrize("new_size", [(3, 5), (36, 64), (128, 227)])
def test_so_are_large_ones(size: tuple[int, int], new_size: tuple[int, int]) -> None:
    for frames in (noise(0, 1, 3, *size), np.full((1, 3, *size), 255, np.uint8), np.zeros((1, 3, *size), np.uint8)):
        expected = F.resize(torch.from_numpy(frames), list(new_size), antialias=True)
        assert np.array_equal(resize_frames(frames, new_size), expected.numpy())


def test_the_memory_for_a_thin_video_is_that_of_its_pixels() -> None:
    """One of 2x2000 px is enlarged to 64x64000 px, by weights of which nearly all are zero."""
    frames, flow = np.full((1, 3, 1000, 2), 7, np.uint8), np.ones((1, 2, 1000, 2), np.float32)
    tracemalloc.start()
    assert (resize_frames(frames, (32_000, 64)) == 7).all()
    assert resize_flow(flow, (32_000, 64)).shape == (1, 2, 32_000, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 32_000 * 64 * 3  # a matrix of 1,000 x 32,000 alone has twice that


@settings(max_examples=100)
@given(SIDE_PX, SIDE_PX, SIDE_PX, SIDE_PX, st.integers(0, 2**32 - 1))
def test_flow_is_resized_to_1e_5_of_its_size(
    height: int, width: int, new_height: int, new_width: int, seed: int
) -> None:
    flow = np.random.default_rng(seed).uniform(-20, 20, (2, 2, height, width)).astype(np.float32)
    expected = fields.resize(torch.from_numpy(flow), (new_height, new_width)).numpy()
    found = resize_flow(flow, (new_height, new_width))
    grown = max(new_height / height, new_width / width, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * grown)


@needs_native
@pytest.mark.parametrize("test_crops", [1, 2, 3, 10])
@pytest.mark.parametrize(
    "given",
    [
        {"resize_px": 36, "crop_px": 32},
        {"resize_px": None, "crop_px": (31, 45)},
        {"resize_px": 37, "crop_px": (33, 64)},
        {"stretch": True, "crop_px": (33, 21)},
    ],
    ids=str,
)
def test_crops_are_those_of_the_test(given: dict[str, object], test_crops: int) -> None:
    transform = TransformSettings(**given, test_crops=test_crops)  # type: ignore[arg-type]
    kinds: dict[str, LoadedKind] = {"rgb": "rgb", "flow": "flow", "pairs": "frame_pairs"}
    flow = np.random.default_rng(1).uniform(-9, 9, (3, 2, 23, 30)).astype(np.float32)
    for size in ((40, 56), (56, 41), (131, 175), (24, 31), (36, 36)):
        clip = {"rgb": noise(0, 4, 3, *size), "flow": flow, "pairs": noise(2, 2, 3, *size)}
        for names in (tuple(kinds), ("flow",), ("flow", "pairs")):
            some = {name: clip[name] for name in names}
            tensors = {name: torch.from_numpy(array) for name, array in some.items()}
            expected = evaluation_transform(tensors, kinds, transform)
            found = crops_of(some, kinds, transform)
            assert len(found) == len(expected) == test_crops
            for view, other in zip(found, expected, strict=True):
                for name in names:
                    if kinds[name] == "flow":
                        np.testing.assert_allclose(view[name], other[name].numpy(), rtol=1e-5, atol=2e-5)
                    else:
                        assert np.array_equal(view[name], other[name].numpy()), (name, size)
