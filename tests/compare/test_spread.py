"""Means and their spread, worked out by hand."""

from __future__ import annotations

import pytest

from vidcls.compare.spread import spread


def test_the_spread_is_the_sample_standard_deviation() -> None:
    found = spread([0.8, 0.9, 1.0])
    assert found.mean == pytest.approx(0.9)
    assert found.std == pytest.approx(0.1)


def test_one_seed_has_no_spread() -> None:
    assert spread([0.8]).std is None
