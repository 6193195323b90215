"""The scores of a test -> its videos with their names, and the table on the screen."""

from __future__ import annotations

from pathlib import Path

import torch

from vidcls.callbacks.result_files import few_groups, scored_videos, table_text
from vidcls.tasks import SingleLabel
from vidcls.training.results import VideoScores
from vidcls.types import VideoRecord
from vidcls.video import LocalFile


def record(name: str, label: str, group: str | None = None) -> VideoRecord:
    return VideoRecord(source=LocalFile(Path("/data") / name), label=label, split="test", name=name, group=group)


def test_scores_get_the_names_and_groups_of_the_videos_that_they_are_of() -> None:
    records = [record("left_out.avi", "run"), record("a/1.avi", "wave", "anna"), record("b/2.avi", "run")]
    rows = {"model": torch.tensor([[0.25, 0.75], [0.5, 0.5]]), "spatial": torch.tensor([[1.0, 0.0], [0.0, 1.0]])}
    scores = VideoScores(SingleLabel(["run", "wave"]), torch.tensor([1, 2]), torch.tensor([1, 0]), rows, ("spatial",))
    videos = scored_videos(scores, records)
    assert (videos.class_names, videos.paths, videos.groups) == (("run", "wave"), ("a/1.avi", "b/2.avi"), ("anna", ""))
    assert videos.labels.tolist() == videos.predictions.tolist() == [1, 0]
    assert scored_videos(scores, records, "spatial").predictions.tolist() == [0, 1]


def test_the_fusion_that_is_the_models_answer_is_marked_and_not_shown_twice() -> None:
    table = {row: {"top1": score} for row, score in (("model", 0.75), ("spatial", 0.25), ("product", 0.75))}
    lines = table_text(table, fusion="product", num_videos=8).splitlines()
    assert lines[0] == "test on 8 videos"
    assert lines[1].split() == ["top1"]
    assert [line.split()[:2] for line in lines[2:]] == [["spatial", "0.2500"], ["product", "0.7500"]]
    assert [line.endswith("<- the model's answer") for line in lines[2:]] == [False, True]


def test_a_fusion_that_could_not_be_fitted_is_shown_as_the_models_row() -> None:
    table = {row: {"top1": 0.5} for row in ("model", "spatial", "mean")}
    assert table_text(table, fusion="svm", num_videos=2).splitlines()[-1].split() == ["model", "0.5000"]


def test_a_model_without_parts_has_one_row() -> None:
    lines = table_text({"model": {"top1": 1.0, "top5": 1.0}}, fusion=None, num_videos=1).splitlines()
    assert [line.split() for line in lines[1:]] == [["top1", "top5"], ["model", "1.0000", "1.0000"]]


def test_top5_is_left_out_on_the_screen_where_there_are_few_classes() -> None:
    table = {"model": {"top1": 0.5, "top5": 0.75}}
    shown = [table_text(table, fusion=None, num_videos=4, num_classes=k).split()[4:] for k in (19, 20)]
    assert shown == [["top1", "model", "0.5000"], ["top1", "top5", "model", "0.5000", "0.7500"]]


def test_folds_are_advised_where_a_test_has_few_groups_and_they_can_be_cut() -> None:
    (line,) = few_groups(9, 5, is_folded=False)
    assert line.startswith("few groups: 5 folds test every video")
    assert "--data.num_folds 5 --data.fold 0 to 4, or vidcls compare --num_folds 5" in line
    for num_tested, num_known, is_folded in ((10, 50, False), (None, 50, False), (3, 4, False), (9, 50, True)):
        assert few_groups(num_tested, num_known, is_folded=is_folded) == []
