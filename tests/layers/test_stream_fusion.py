"""Fusions of two maps against their formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from vidcls.layers.stream_fusion import FusionMethod, StreamFusion


def two_maps() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 4, 5, generator=generator), torch.randn(2, 3, 4, 5, generator=generator)


def test_sum_maximum_and_concatenation() -> None:
    a, b = two_maps()
    assert torch.equal(StreamFusion("sum", 3)(a, b), a + b)
    assert torch.equal(StreamFusion("max", 3)(a, b), torch.where(a > b, a, b))
    joined = StreamFusion("concat", 3)(a, b)
    assert torch.equal(joined[:, :3], a)
    assert torch.equal(joined[:, 3:], b)


def test_the_convolution_starts_as_the_sum_and_sees_the_same_place_of_both() -> None:
    a, b = two_maps()
    conv = StreamFusion("conv", 3)
    assert torch.allclose(conv(a, b), a + b, atol=1e-6)
    assert conv.mix.weight.shape == (3, 6, 1, 1)


def test_the_bilinear_product_is_that_of_the_formula() -> None:
    a, b = two_maps()
    expected = np.zeros((2, 9))
    for n in range(2):
        for i in range(3):
            for j in range(3):
                expected[n, 3 * i + j] = float((a[n, i].double() * b[n, j].double()).sum())
        expected[n] = np.sign(expected[n]) * np.sqrt(np.abs(expected[n]))
        expected[n] /= np.linalg.norm(expected[n])
    assert np.allclose(StreamFusion("bilinear", 3)(a, b).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("method", ["sum", "max", "concat", "conv", "bilinear"])
def test_dead_maps_have_finite_gradients(method: FusionMethod) -> None:
    a, b = (torch.zeros(1, 3, 2, 2, requires_grad=True) for _ in range(2))
    StreamFusion(method, 3)(a, b).sum().backward()
    assert a.grad is not None
    assert torch.isfinite(a.grad).all()
