"""The line of a training by known values, at several widths."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest

from vidcls.callbacks.pace import Pace
from vidcls.callbacks.progress_text import Best, Progress, num_columns, short_number
from vidcls.console import duration

PROGRESS = Progress(
    epoch=3,
    num_epochs=40,
    place="12/24",
    loss=0.8234,
    val_loss=0.911,
    score_name="top1",
    score=0.61,
    best=Best(0.65, 2),
    clips_per_second=104.7,
    waiting_share=0.04,
    learning_rate=0.001,
    seconds_left=130.2,
)
ALL = (
    "epoch 3/40  12/24  loss .82  val loss .91  top1 .61 (best .65, epoch 2)  105 clips/s  waiting 4 %  lr .001  "
    "ETA 2:10"
)


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (None, ALL),
        (130, ALL),
        (90, "epoch 3/40  12/24  loss .82  top1 .61 (best .65)  105 clips/s  waiting 4 %  ETA 2:10"),
        (80, "epoch 3/40  12/24  loss .82  top1 .61 (best .65)  105/s  wait 4 %  ETA 2:10"),
        (60, "epoch 3/40  12/24  loss .82  top1 .61 (best .65)  ETA 2:10"),
        (30, "epoch 3/40  12/24  top1 .61"),
        (8, "epoch 3"),
    ],
)
def test_a_line_has_what_fits(columns: int | None, line: str) -> None:
    assert PROGRESS.line(columns) == line


def test_no_width_is_exceeded() -> None:
    longest = replace(
        PROGRESS, epoch=112, num_epochs=120, score=0.9967, clips_per_second=1048, waiting_share=1, seconds_left=3730
    )
    for shown in (PROGRESS, longest, replace(longest, place="validation 312/1024")):
        for columns in range(1, 200):
            assert len(shown.line(columns)) < columns
            assert "\n" not in shown.line(columns)
    assert longest.line(80) == "epoch 112/120  12/24  loss .82  top1 .997 (best .65)  1048/s  ETA 1:02:10"


def test_the_memory_of_a_gpu_is_shown_where_there_is_room() -> None:
    on_gpu = replace(PROGRESS, memory_bytes=3_140_000_000)
    assert "lr .001  3.1 GB  ETA" in on_gpu.line(130)
    assert on_gpu.line(80) == PROGRESS.line(80)


def test_what_is_not_known_is_not_shown() -> None:
    assert Progress(epoch=1).line(80) == "epoch 1"
    assert Progress(epoch=1, loss=2.0).line(80) == "epoch 1  loss 2.00"
    assert Progress(epoch=1, score=0.5, best=Best(0.5)).line(80) == "epoch 1  score .50 (best .50)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, ".00"),
        (1, "1.00"),
        (0.9967, ".997"),
        (0.00004, ".0000"),
        (-0.25, "-.25"),
        (123.4, "123"),
        (1e9, "1000000000"),
    ],
)
def test_a_number_does_not_claim_to_be_one_that_it_is_not(value: float, text: str) -> None:
    assert short_number(value) == text
    assert short_number(float("nan")) == "nan"


def test_a_time_is_said_in_its_unit() -> None:
    assert [duration(s) for s in (0.2, 99, 100, 5400, 7500)] == ["0 s", "99 s", "2 min", "90 min", "2 h 5 min"]


def test_a_file_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "60")
    assert num_columns(StringIO()) is None
    assert num_columns(Terminal()) == 60
    monkeypatch.setenv("COLUMNS", "wide")
    assert num_columns(Terminal()) == 80


def test_the_rest_of_a_training_is_expected_from_batches_and_then_from_epochs() -> None:
    pace = Pace()
    pace.start_epoch(100.0)
    assert pace.seconds_left(100.0, num_epochs=4, batches_of_epoch=10) is None
    pace.end_batch(1, 105.0)  # workers were started
    pace.end_batch(2, 107.0)
    pace.end_batch(3, 109.0)
    assert pace.seconds_left(109.0, num_epochs=4, batches_of_epoch=10) == 4 * 20 - 9
    pace.end_epoch(130.0)
    assert pace.seconds_left(131.0, num_epochs=4, batches_of_epoch=10) == 3 * 30
    pace.start_epoch(131.0)
    pace.end_epoch(141.0)
    assert pace.seconds_left(141.0, num_epochs=4, batches_of_epoch=10) == 2 * 10  # the first one does not count
    pace.start_epoch(141.0)
    assert pace.seconds_left(145.0, num_epochs=4, batches_of_epoch=10) == 16
    assert pace.seconds_left(145.0, num_epochs=float("inf"), batches_of_epoch=10) is None
    assert pace.seconds_left(999.0, num_epochs=4, batches_of_epoch=10) == 10  # an epoch that takes longer
