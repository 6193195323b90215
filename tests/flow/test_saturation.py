"""What a bound cuts is counted exactly, and the bound that is advised holds 99.9 % of the values."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vidcls.flow.saturation import DeviceTally, Saturation, SaturationTally, percent, rounded_up

BOUND_PX = 20.0


def tenth_beyond() -> Tensor:
    """A field ``(2, 20, 50)`` of 2,000 values, of which 200 move 30 px and the others 5 px, in both directions."""
    field = torch.full((2000,), 5.0)
    field[::10] = 30.0
    field[::3] *= -1
    return field.view(2, 20, 50)


def test_a_tenth_beyond_the_bound_is_a_tenth() -> None:
    found = Saturation.of(tenth_beyond(), BOUND_PX)
    assert (found.num_values, found.num_saturated, found.share) == (2000, 200, 0.1)
    assert found.is_high
    assert sum(found.tail or ()) == 200
    advised = found.advised_bound(BOUND_PX)
    assert advised is not None
    assert 30 <= advised <= 30 * 2 ** (1 / 16)
    assert found.describe(BOUND_PX) == (
        "10 % of the flow values are beyond the bound of 20 px; a bound of 31 px would hold 99.9 %"
    )


def test_a_value_of_the_bound_itself_loses_nothing_and_is_not_counted() -> None:
    found = Saturation.of(torch.tensor([20.0, -20.0, 20.001, -20.001, 0.0]), BOUND_PX)
    assert found.num_saturated == 2
    assert Saturation.of(torch.zeros(7), BOUND_PX) == Saturation(7)


def test_each_direction_of_a_vector_counts_by_itself() -> None:
    assert Saturation.of(torch.tensor([[[25.0]], [[1.0]]]), BOUND_PX).share == 0.5


@pytest.mark.parametrize(("num_beyond", "is_high"), [(0, False), (10, False), (11, True)])
def test_more_than_a_thousandth_is_told(num_beyond: int, is_high: bool) -> None:
    flow = torch.zeros(10_000)
    flow[:num_beyond] = 50.0
    found = Saturation.of(flow, BOUND_PX)
    assert found.is_high == is_high
    advised = found.advised_bound(BOUND_PX)
    assert advised == (BOUND_PX if not is_high else pytest.approx(50, rel=0.045))
    assert ("would hold" in found.describe(BOUND_PX)) == is_high


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 10_000), bound_px=st.floats(0.05, 100), scale_px=st.floats(0.05, 400))
def test_the_advised_bound_holds_what_it_says_and_is_little_larger_than_need_be(
    seed: int, bound_px: float, scale_px: float
) -> None:
    flow = torch.randn(5000, generator=torch.Generator().manual_seed(seed)) * scale_px
    advised = Saturation.of(flow, bound_px).advised_bound(bound_px)
    assert advised is not None
    assert float((flow.abs() <= advised).double().mean()) >= 0.999
    smallest = float(flow.abs().sort().values[4994])  # 5 of 5,000 may lie beyond
    assert advised <= max(bound_px, smallest * 2 ** (1 / 16) * 1.0001)


def test_counts_of_parts_add_up_to_those_of_the_whole() -> None:
    flow = torch.randn(3000, generator=torch.Generator().manual_seed(0)) * 15
    parts = [Saturation.of(part, BOUND_PX) for part in flow.split(700)]
    whole = Saturation.of(flow, BOUND_PX)
    assert sum(parts, Saturation()) == whole
    assert Saturation.from_plain(asdict(whole)) == whole
    assert Saturation.from_plain({**asdict(whole), "tail": list(whole.tail or ())}) == whole  # as JSON has it


@pytest.mark.parametrize(
    "plain",
    [{}, {"num_values": 1, "num_saturated": -1, "tail": []}, {"num_values": 1, "num_saturated": 0, "tail": "x"}],
)
def test_what_is_no_count_is_refused(plain: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Saturation.from_plain(plain)
    assert Saturation.from_plain(None) is None


def test_flow_that_was_cut_and_read_back_is_counted_at_the_bound_without_advice() -> None:
    read = tenth_beyond().clamp(-BOUND_PX, BOUND_PX)
    found = Saturation.of_stored(read, BOUND_PX)
    assert (found.share, found.tail, found.advised_bound(BOUND_PX)) == (0.1, None, None)
    assert found.describe(BOUND_PX) == "10 % of the flow values are at the bound of 20 px"
    both = found + Saturation.of(tenth_beyond(), BOUND_PX)
    assert (both.num_saturated, both.tail) == (400, None)
    tally = DeviceTally()
    assert tally.total() == Saturation(tail=None)
    tally.add(read, BOUND_PX)
    tally.add(read, BOUND_PX)
    assert tally.total() == found + found


class Fields(Dataset[int]):
    """Each item is a field of which as many values lie beyond the bound as its number says."""

    def __init__(self, tally: SaturationTally) -> None:
        self.tally = tally

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> int:
        flow = torch.zeros(100)
        flow[:index] = 30.0
        self.tally.add(Saturation.of(flow, BOUND_PX))
        return index


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_tally_knows_what_loader_workers_have_seen(num_workers: int) -> None:
    tally = SaturationTally(num_workers)
    assert len(list(DataLoader(Fields(tally), batch_size=3, num_workers=num_workers))) == 4
    found = tally.total()
    assert (found.num_values, found.num_saturated) == (1200, sum(range(12)))
    assert found.advised_bound(BOUND_PX) == pytest.approx(30, rel=0.045)
    tally.add(Saturation.of_stored(torch.full((4,), 20.0), BOUND_PX))
    assert (tally.total().num_saturated, tally.total().tail) == (70, None)


@pytest.mark.parametrize(
    ("bound_px", "expected"), [(30.9, 31), (31.0, 31), (9.51, 9.6), (0.0123, 0.013), (1.0, 1.0), (1044.2, 1045)]
)
def test_an_advised_bound_is_easily_typed_and_never_smaller(bound_px: float, expected: float) -> None:
    assert rounded_up(bound_px) == pytest.approx(expected)
    assert rounded_up(bound_px) >= bound_px


def test_shares_are_told_with_two_digits() -> None:
    assert [percent(share) for share in (0, 0.00012, 0.1, 0.314, 0.997, 1)] == [
        "0 %", "0.012 %", "10 %", "31 %", "100 %", "100 %",
    ]  # fmt: skip
