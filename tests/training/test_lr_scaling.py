"""Learning rates for the clips of a step, with known answers."""

from __future__ import annotations

import pytest

from vidcls.training.lr_scaling import ScaledLr
from vidcls.training.optimization import OptimizationSettings


def test_eight_times_the_batch_has_eight_times_the_rate_as_in_the_table_of_the_paper() -> None:
    """Goyal et al. 2017, section 5.1: 0.1 for 256 images, 3.2 for 8192 on 256 workers of 32."""
    scaled = ScaledLr("linear", 0.1, 256, batch_size=32, num_processes=256, accumulated=1)
    assert (scaled.batch, scaled.lr) == (8192, pytest.approx(3.2))


def test_the_square_root_and_accumulated_batches() -> None:
    scaled = ScaledLr("sqrt", 1e-3, 64, batch_size=4, num_processes=2, accumulated=2)
    assert scaled.lr == pytest.approx(5e-4)
    assert scaled.line() == (
        "learning rate: 0.001 for 64 clips, scaled by the square root to 0.0005 for 16 (4 clips x 2 processes x 2 "
        "batches)"
    )
    assert scaled.to_dict() == {"rule": "sqrt", "base_lr": 1e-3, "base_batch": 64, "batch": 16, "lr": scaled.lr}


@pytest.mark.parametrize(
    "changes", [{"lr_scaling": "linear"}, {"lr_batch": 256}, {"lr_scaling": "sqrt", "lr_batch": 0}]
)
def test_a_rule_without_its_batch_and_a_batch_without_a_rule_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="lr_batch"):
        OptimizationSettings(**changes)  # type: ignore[arg-type]
