"""A list of videos is read as the task needs it, wherever its data section is made from."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.errors import DatasetError
from vidcls.loading.from_config import data_module_of, video_data_of, videos_of


def test_repeated_lines_and_empty_cells_are_labels_where_the_task_takes_several_or_none(tmp_path: Path) -> None:
    rows = ["path,label,split"]
    for number, labels in enumerate([["walk", "wave"], ["walk"], [""], ["wave"]]):
        (tmp_path / f"{number}.mp4").touch()
        rows += [f"{number}.mp4,{label},train" for label in labels]
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    expected = [("walk", "wave"), ("walk",), (), ("wave",)]
    dataset = {
        "class_path": "vidcls.datasets.VideoCsv",
        "init_args": {"path": str(tmp_path / "clips.csv"), "val_fraction": 0.0},
    }
    section = {"dataset": dataset, "task": "multi_label"}
    words = [
        "--data.dataset=VideoCsv",
        f"--data.dataset.path={tmp_path / 'clips.csv'}",
        "--data.dataset.val_fraction=0",
    ]
    made = (
        videos_of(section),
        data_module_of(section).records,
        video_data_of([*words, "--data.task=multi_label"]).records,
    )
    for records in made:
        assert [record.classes for record in records] == expected
    for make in (lambda: videos_of(section | {"task": None}), lambda: video_data_of(words)):
        with pytest.raises(
            DatasetError, match=r"two labels.*pass --task multi_label|label is empty.*--task multi_label"
        ):
            make()
