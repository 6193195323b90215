from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidcls.errors import FlowError
from vidcls.flow.codec import ZERO_CODE, decode_field, dequantize, encode_field, quantize
from vidcls.flow.flow_file import FlowFile, FlowFileHeader, write_flow_file
from vidcls.flow.settings import FlowSettings
from vidcls.video.source_identity import SourceIdentity


@settings(deadline=None)
@given(bound_px=st.floats(0.1, 500))
def test_zero_is_exactly_zero_for_every_bound(bound_px: float) -> None:
    codes = quantize(torch.zeros(2, 3, 3), bound_px)
    assert torch.equal(codes, torch.full((2, 3, 3), ZERO_CODE, dtype=torch.uint8))
    assert torch.equal(dequantize(codes, bound_px), torch.zeros(2, 3, 3))


@settings(deadline=None)
@given(bound_px=st.floats(0.1, 500), seed=st.integers(0, 1000))
def test_the_error_is_at_most_half_a_step(bound_px: float, seed: int) -> None:
    flow = (torch.rand(2, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1) * bound_px
    error = (dequantize(quantize(flow, bound_px), bound_px) - flow).abs().max()
    assert error <= bound_px / 127 * 0.5001


def test_every_code_decodes_and_encodes_to_itself() -> None:
    codes = torch.arange(1, 256, dtype=torch.uint8)
    assert torch.equal(quantize(dequantize(codes, 20.0), 20.0), codes)


def test_codes_are_symmetric_about_zero() -> None:
    flow = torch.linspace(-25, 25, 401)
    there, back = quantize(flow, 20.0), quantize(-flow, 20.0)
    assert torch.equal(there.int() - 128, 128 - back.int())


def test_larger_displacements_are_cut_to_the_bound() -> None:
    flow = torch.tensor([-1e6, -20.0, 20.0, 1e6])
    assert quantize(flow, 20.0).tolist() == [1, 1, 255, 255]
    assert dequantize(quantize(flow, 20.0), 20.0).tolist() == [-20, -20, 20, 20]


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(FlowError, match="not finite"):
        quantize(torch.tensor([0.0, float("nan")]), 20.0)


@settings(deadline=None)
@given(height=st.integers(1, 12), width=st.integers(1, 12), seed=st.integers(0, 1000))
def test_bytes_give_back_the_codes_bit_for_bit(height: int, width: int, seed: int) -> None:
    shape = (2, height, width)
    codes = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(decode_field(encode_field(codes), height, width), codes)


def test_a_still_field_takes_few_bytes() -> None:
    assert len(encode_field(torch.full((2, 144, 192), ZERO_CODE, dtype=torch.uint8))) < 100


def test_bytes_of_another_size_are_refused() -> None:
    blob = encode_field(torch.full((2, 4, 4), 7, dtype=torch.uint8))
    with pytest.raises(ValueError, match="32 values"):
        decode_field(blob, 5, 4)
    with pytest.raises(ValueError, match="incomplete"):
        decode_field(blob[:-5], 4, 4)


@settings(deadline=None, max_examples=40)
@given(
    num_fields=st.integers(0, 6),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_a_file_gives_back_the_fields_in_any_order(
    num_fields: int, height: int, width: int, seed: int, data: st.DataObject
) -> None:
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 256, (num_fields, 2, height, width), generator=generator).to(torch.uint8)
    header = FlowFileHeader(FlowSettings().to_dict(), {"a": 1}, None, height, width, SourceIdentity(7, "digest"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.flow")
        with path.open("wb") as file:
            assert write_flow_file(file, codes, header) == num_fields
        with FlowFile(path) as stored:
            assert (stored.num_fields, stored.header) == (num_fields, header)
            wanted = data.draw(st.lists(st.integers(0, num_fields - 1), max_size=8)) if num_fields else []
            assert torch.equal(stored.codes(wanted), codes[wanted])
