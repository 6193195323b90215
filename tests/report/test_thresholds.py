"""Precision and recall of each class by threshold, counted by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from vidcls.report import write_report
from vidcls.report.calibration_words import calibration_words
from vidcls.report.thresholds import as_json, class_thresholds, threshold_rows, weakest_class
from vidcls.runs.results import ScoredVideos
from vidcls.runs.run import RunFolder

VIDEOS = ScoredVideos(
    ("wave", "</script>"),
    ("a.mp4", "b.mp4", "c.mp4", "d.mp4"),
    np.array([0, 0, 1, 1]),
    ("", "", "", ""),
    np.array([[0.9, 0.1], [0.5, 0.5], [0.6, 0.4], [0.2, 0.8]]),
)


def test_a_video_is_called_so_from_the_threshold_on() -> None:
    wave, other = class_thresholds(VIDEOS)
    assert (wave.name, wave.num_videos) == ("wave", 2)
    assert (wave.called[0], wave.right[0]) == (4, 2)
    assert (wave.called[25], wave.right[25]) == (3, 2)  # .5 is at least .5
    assert (wave.called[26], wave.right[26]) == (2, 1)
    assert (wave.called[50], wave.right[50]) == (0, 0)
    assert wave.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert other.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert weakest_class([wave, other]) == 0


def test_the_table_has_a_line_for_each_class_and_threshold() -> None:
    header, *rows = threshold_rows(class_thresholds(VIDEOS))
    assert header == ("class", "threshold", "called", "right", "precision", "recall")
    assert len(rows) == 2 * 51
    assert rows[25] == ("wave", "0.50", 3, 2, "0.666667", "1.000000")
    assert rows[50] == ("wave", "1.00", 0, 0, "", "0.000000")


def test_the_script_of_the_page_holds_every_class_and_no_end_of_a_script() -> None:
    text = as_json(class_thresholds(VIDEOS))
    assert "<" not in text
    assert [row[0] for row in json.loads(text)] == ["wave", "</script>"]


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([[0.6, 0.4], [0.6, 0.4], [0.4, 0.6], [0.4, 0.6]], "underconfident"),
        ([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]], "overconfident"),
    ],
)
def test_words_say_whether_confidence_can_be_believed_and_what_a_product_does_to_it(
    scores: list[list[float]], verdict: str
) -> None:
    videos = ScoredVideos(VIDEOS.class_names, VIDEOS.paths, VIDEOS.labels, VIDEOS.groups, np.array(scores))
    assert f"it is {verdict}:" in calibration_words(videos, None)
    assert "product" not in calibration_words(videos, None)
    assert "geometric mean" in calibration_words(videos, "product")
    assert "product of the streams" in calibration_words(videos, "product")
    assert "product of the members" in calibration_words(videos, "product", of_members=True)


def test_a_browser_shows_the_numbers_of_the_class_that_is_chosen(tmp_path: Path, browser: Callable[..., str]) -> None:
    summary = {"class_names": list(VIDEOS.class_names), "model": "SingleFrame", "views_per_video": 1, "unread": []}
    run = RunFolder(tmp_path, VIDEOS, summary)  # type: ignore[arg-type]
    write_report(run, tmp_path / "page.html", explainer=None, path_of=lambda _: None)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    change = "<script>const s = document.getElementById('of-class'); s.value = 1; s.dispatchEvent(new Event('change'));"
    (tmp_path / "changed.html").write_text(page.replace("</body>", f"{change}</script></body>"), encoding="utf-8")
    for name, words in [("page", "wave from a probability of 0.50: 2 of its 2"), ("changed", "&lt;/script&gt; from")]:
        dom = browser("--dump-dom", (tmp_path / f"{name}.html").as_uri())
        assert words in dom
        assert dom.count("<option") == 2
        assert re.search(r'id="pr-curve"[^>]* d="M', dom)
