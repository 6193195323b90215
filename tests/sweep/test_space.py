"""A file of ranges and choices -> what is tried; what is no range is one line with the way to write one."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.errors import ConfigurationError
from vidcls.sweep.space import Choice, Range, corners, default_space, options_of, read_space

FILE = """
model.optimization.lr: {low: 0.001, high: 0.1, log: true}
--data.batch_size: {low: 4, high: 16, step: 4}
model.backbone: [small, resnet18]
data.transform.crop_px: [[64, 64], 32]
trainer.deterministic: [true, false]
"""


def test_ranges_and_choices_are_read_and_become_words(tmp_path: Path) -> None:
    (tmp_path / "space.yaml").write_text(FILE)
    space = read_space(tmp_path / "space.yaml")
    assert space["model.optimization.lr"] == Range(0.001, 0.1, log=True)
    batch = space["data.batch_size"]
    assert isinstance(batch, Range)
    assert batch.is_integer
    assert space["data.transform.crop_px"] == Choice(("[64, 64]", 32))
    first, second = corners(space)
    assert options_of(first) == [
        *("--model.optimization.lr=0.001", "--data.batch_size=4", "--model.backbone=small"),
        *("--data.transform.crop_px=[64, 64]", "--trainer.deterministic=true"),
    ]
    assert second["model.backbone"] == "resnet18"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("lr: {low: 1, high: 2}", "no option of a section"),
        ("model.lr: {low: 2, high: 1}", "low must be below high"),
        ("model.lr: {low: 0.0, high: 1.0, log: true}", "above 0 with log"),
        ("model.lr: {min: 1, max: 2}", "expected low and high"),
        ("model.lr: {low: 1e-4, high: 1}", "must be numbers"),
        ("model.backbone: [small]", "two or more different choices"),
        ("model.backbone: small", "list of choices"),
        ("{}", "no option to try"),
    ],
)
def test_what_is_no_range_is_one_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "space.yaml").write_text(line)
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_space(tmp_path / "space.yaml")
    assert "\n" not in str(caught.value)


def test_the_default_is_around_the_rate_of_the_configuration() -> None:
    space = default_space(0.003, has_dropout=False)
    rate = space["model.optimization.lr"]
    assert isinstance(rate, Range)
    assert (rate.low, rate.high, rate.log) == (pytest.approx(0.0003), pytest.approx(0.03), True)
    assert "model.dropout" not in space
