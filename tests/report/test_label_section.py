"""Which videos a page lists for their labels: those that its network was not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vidcls.report.label_section import listed_videos
from vidcls.runs.calibration import at_temperature
from vidcls.runs.held_out import HeldOut, HeldOutFacts
from vidcls.runs.results import ScoredVideos
from vidcls.runs.run import RunFolder


def videos_of(folder: str, labels: list[int], taken_for: list[int]) -> ScoredVideos:
    paths = tuple(f"{folder}/{k}.mp4" for k in range(len(labels)))
    scores = np.where(np.eye(2)[taken_for] > 0, 0.9, 0.1)
    return ScoredVideos(("a", "b"), paths, np.array(labels), ("",) * len(labels), scores)


VALIDATION = videos_of("val", [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1])
TEST = videos_of("test", [0, 1, 1], [1, 1, 0])


def held_out(videos: ScoredVideos = VALIDATION, *, is_cross_validated: bool = False) -> HeldOut:
    facts = HeldOutFacts(len(videos), videos.class_names, "single_label", is_cross_validated=is_cross_validated)
    return HeldOut(videos, facts)


def test_held_out_videos_come_first_and_then_those_of_the_test() -> None:
    first, second = listed_videos(RunFolder(Path("run"), TEST, {}), held_out())
    assert (first.name, first.words) == ("validation", "6 validation videos, one clip of each")
    assert [issue.path for issue in first.issues] == ["val/2.mp4"]
    assert (second.name, second.words) == ("test", "3 test videos, by thresholds of the others")
    assert [issue.path for issue in second.issues] == ["test/0.mp4", "test/2.mp4"]
    probe = listed_videos(RunFolder(Path("run"), TEST, {}), held_out(is_cross_validated=True))
    assert [each.name for each in probe] == ["training", "test"]


def test_scores_of_a_test_at_a_temperature_are_compared_as_the_network_gave_them() -> None:
    run = RunFolder(Path("run"), at_temperature(TEST, 4.0), {"temperature": {"model": 4.0}})
    assert [issue.path for issue in listed_videos(run, held_out())[1].issues] == ["test/0.mp4", "test/2.mp4"]


def test_nothing_is_listed_of_videos_that_may_have_been_trained_on() -> None:
    run = RunFolder(Path("run"), TEST, {})
    assert listed_videos(run, None) == []
    assert [each.name for each in listed_videos(RunFolder(Path("run"), VALIDATION, {}), held_out())] == ["validation"]
    unread = RunFolder(Path("run"), TEST, {"unread": [{"path": "test/0.mp4", "counts_as_wrong": True, "reason": "x"}]})
    assert [issue.path for issue in listed_videos(unread, held_out())[1].issues] == ["test/2.mp4"]
