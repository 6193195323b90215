"""``vidcls data export``, and exports of label tools as the data set of other commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vidcls.cli.data_source import data_of
from vidcls.video import write_video

Command = Callable[..., Any]


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Four videos of two parts each."""
    for k in range(4):
        frames = torch.randint(0, 255, (20, 3, 32, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(k))
        write_video(tmp_path / "videos" / f"{k}.mp4", frames, fps=10)
    rows = [f"{k}.mp4,{label},{start},{start + 1}" for k in range(4) for start, label in enumerate(("walk", "sit"))]
    file = tmp_path / "videos" / "clips.csv"
    file.write_text("\n".join(["path,label,start,end", *rows, ""]))
    return file


@pytest.mark.parametrize("kind", ["cvat", "fiftyone"])
def test_labels_are_written_for_a_tool_and_are_a_data_set_again(vidcls: Command, listed: Path, kind: str) -> None:
    done = vidcls("data", "export", listed, "labels", "--format", kind)
    assert (done.status, done.out) == (0, "wrote labels: 8 labels of 4 videos\n")
    root = "root" if kind == "cvat" else "data"
    of_cvat = ["--data", "cvat", "--data.dataset.path", "labels"] if kind == "cvat" else []
    source = "two_stream" if kind == "cvat" else "labels"
    found = data_of(source, None, [*of_cvat, f"--data.dataset.{root}", str(listed.parent)]).records
    assert sorted((record.video_name, record.label) for record in found) == [
        (f"{k}.mp4", label) for k in range(4) for label in ("sit", "walk")
    ]
    again = vidcls("data", "export", listed, "labels", "--format", kind)
    assert "OUT labels: already exists and is not an empty folder" in again.refusal()


def test_an_export_of_label_studio_is_named_by_its_file(vidcls: Command, listed: Path) -> None:
    value = {"ranges": [{"start": 1, "end": 25}], "timelinelabels": ["walk"]}
    other = {"ranges": [{"start": 26, "end": 50}], "timelinelabels": ["sit"]}
    results = [{"type": "timelinelabels", "value": each} for each in (value, other)]
    tasks = [{"data": {"video": f"{k}.mp4"}, "annotations": [{"result": results}]} for k in range(4)]
    file = listed.parent / "export.json"
    file.write_text(json.dumps(tasks))
    assert "pass --data.dataset.fps" in vidcls("data", "check", file).refusal()
    data = data_of(str(file), None, ["--data.dataset.fps", "25"])
    assert [record.name for record in data.records[:2]] == ["0.mp4#t=0,1", "0.mp4#t=1,2"]
    assert "frames of the tool became seconds at 25 per second" in data.dataset.notes[0]
    tree = vidcls("data", "export", file, "tree", "--format", "fiftyone_tree", "--data.dataset.fps", 25)
    assert "is a part of a video" in tree.refusal()


def test_a_folder_inside_the_data_set_is_refused_since_it_would_be_taken_for_a_class(
    vidcls: Command, listed: Path
) -> None:
    folder = listed.parent
    assert "lies inside the data set" in vidcls("data", "export", folder, folder / "new", "--format", "cvat").refusal()
    assert not (folder / "new").exists()
