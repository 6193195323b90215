"""A part of a video: what it is called, and what is none."""

from __future__ import annotations

import math

import pytest

from vidcls.video_part import VideoPart, part_cells, part_in_cells

WRONG = {
    "is empty": (2, 2, "seconds"),
    "is reversed": (3, 2, "seconds"),
    "before the video": (-1, 2, "seconds"),
    "is not a number": (math.nan, 2, "seconds"),
    "whole frames": (1.5, 3, "frames"),
}


@pytest.mark.parametrize("words", WRONG)
def test_what_is_no_part_of_any_video_is_refused_in_one_line(words: str) -> None:
    with pytest.raises(ValueError, match=words) as error:
        VideoPart(*WRONG[words])  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_a_part_is_written_to_cells_and_read_again() -> None:
    for part in (VideoPart(0.1 + 0.2, 1 / 3), VideoPart(2), VideoPart(10, 20, "frames"), VideoPart(0, 5), None):
        cells = part_cells(part, ["seconds", "frames"])
        assert part_in_cells(dict(zip(("start", "end", "start_frame", "end_frame"), cells, strict=True))) == part
