from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from torchvision.io import decode_image

from vidcls.callbacks.pictures import draw_confusion_matrix, draw_curves
from vidcls.figures import COLUMN_INCHES
from vidcls.tasks import SingleLabel

METRICS = """epoch,step,lr-SGD,train/loss,train/spatial_loss,val/loss,val/top1,other
0,9,,0.5,0.25,,,7
0,9,0.1,,,,,
0,9,,,,0.75,0.5,
1,19,,0.25,,,,
"""


def test_the_confusion_matrix_lies_next_to_its_picture_as_counts(tmp_path: Path) -> None:
    confusion = np.array([[3, 1], [0, 5]])
    draw_confusion_matrix(confusion, ["a, b", "c"], tmp_path / "new/confusion.png")
    with (tmp_path / "new/confusion.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["label", "a, b", "c"], ["a, b", "3", "1"], ["c", "0", "5"]]


def test_colours_are_shares_of_the_row(tmp_path: Path) -> None:
    """Rows of 1 and of 1000 videos, all right, look alike; the same picture comes from an all-right matrix of ones."""
    for name, confusion in {"rare": [[1, 0], [0, 1000]], "even": [[1, 0], [0, 1]]}.items():
        draw_confusion_matrix(np.array(confusion), ["a", "b"], tmp_path / f"{name}.png")
    rare, even = (decode_image(str(tmp_path / f"{name}.png"))[:3].float() for name in ("rare", "even"))
    H, W = rare.shape[1:]
    dark = [(picture.mean(dim=0) < 120).sum().item() / (H * W) for picture in (rare, even)]
    assert dark[0] == pytest.approx(dark[1], abs=0.01)
    assert dark[0] > 0.2  # two of four cells


def test_a_hundred_classes_have_room_for_their_names(tmp_path: Path) -> None:
    names = [f"class_{k}" for k in range(101)]
    draw_confusion_matrix(np.eye(101, dtype=np.int64), names, tmp_path / "confusion.png")
    _, H, W = decode_image(str(tmp_path / "confusion.png")).shape
    assert min(H, W) > 101 * 15  # letters of 7 pt are 12 px high


@pytest.mark.parametrize("num_classes", [151, 1200])
def test_the_figure_of_many_classes_is_no_larger_than_a_screen_and_has_no_names(
    num_classes: int, tmp_path: Path
) -> None:
    names = [f"class_{k}" for k in range(num_classes)]
    draw_confusion_matrix(np.eye(num_classes, dtype=np.int64), names, tmp_path / "confusion.png")
    picture = decode_image(str(tmp_path / "confusion.png"))[:3]
    assert max(picture.shape[1:]) <= 1800
    rows_with_dark_blue = ((picture[2] > picture[0] + 60) & (picture[0] < 60)).any(dim=1)
    assert int(rows_with_dark_blue.sum()) > 900  # the diagonal is whole, and of pixels of its own
    with (tmp_path / "confusion.csv").open(newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == ["label", *names]
    assert table[num_classes] == [names[-1], *["0"] * (num_classes - 1), "1"]


def test_names_that_do_not_fit_the_matrix_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the confusion matrix is \(2, 2\), but there are 3 class names"):
        draw_confusion_matrix(np.eye(2, dtype=np.int64), ["a", "b", "c"], tmp_path / "confusion.png")
    assert not list(tmp_path.iterdir())


def test_panels_lie_one_under_the_other_so_that_a_phone_shows_their_letters(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(METRICS)
    draw_curves(tmp_path / "metrics.csv", tmp_path / "four.png", SingleLabel)
    (tmp_path / "metrics.csv").write_text("step,train/loss\n1,0.5\n")
    draw_curves(tmp_path / "metrics.csv", tmp_path / "one.png", SingleLabel)
    four, one = (decode_image(str(tmp_path / f"{name}.png")).shape for name in ("four", "one"))
    assert four[1] >= 4 * one[1]
    assert four[2] == one[2]
    letters_px = 10 / 72 * 412 / COLUMN_INCHES  # 10 points, shown 412 px wide
    assert letters_px >= 8 / 72 * 96


def test_a_file_without_curves_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("epoch,step,lr-SGD\n0,1,0.1\n")
    with pytest.raises(ValueError, match=r"metrics.csv: has no loss and no accuracy to draw"):
        draw_curves(tmp_path / "metrics.csv", tmp_path / "curves.png", SingleLabel)
