"""Exports of Label Studio, CVAT and FiftyOne -> parts of videos, and back; what contradicts itself is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch

from vidcls.clips.planning import ClipPlanner
from vidcls.clips.settings import InputSettings
from vidcls.datasets import CVAT, FiftyOne, LabelStudio, VideoCsv, VideoDataset
from vidcls.datasets.label_writers import write_cvat, write_directory_tree, write_temporal_detections
from vidcls.datasets.labelled_videos import labelled_videos
from vidcls.errors import DatasetError
from vidcls.types import VideoRecord
from vidcls.video import open_video, write_video
from vidcls.video_part import VideoPart

Files = Callable[[Path, Iterable[str]], None]
NAMES = [f"clip{k}.mp4" for k in range(4)]
ALL_TRAINED = {"val_fraction": 0.0, "test_fraction": 0.0}  # so few videos cannot be cut into splits


def frames_of(record: VideoRecord) -> tuple[int, int]:
    """The frames ``[first, stop)`` of a record, by its file."""
    with open_video(record.source) as video:
        return ClipPlanner(InputSettings(streams=("rgb",))).part_range(video, record)


def region(label: str, first: int, last: int, name: str = "videoLabels") -> dict[str, object]:
    value = {"ranges": [{"start": first, "end": last}], "timelinelabels": [label]}
    return {"type": "timelinelabels", "from_name": name, "value": value}


def choice(label: str, name: str = "class") -> dict[str, object]:
    return {"type": "choices", "from_name": name, "value": {"choices": [label]}}


def boxes(label: str, num_frames: int, seconds: float) -> dict[str, object]:
    value = {"framesCount": num_frames, "duration": seconds, "sequence": [], "labels": [label]}
    return {"type": "videorectangle", "from_name": "box", "value": value}


def tasks(*results: dict[str, object], **data: object) -> list[dict[str, object]]:
    return [{"data": {"video": name, **data}, "annotations": [{"result": list(results)}]} for name in NAMES]


def label_studio(root: Path, content: object, **options: object) -> LabelStudio:
    (root / "export.json").write_text(json.dumps(content))
    return LabelStudio(root / "export.json", **options)  # type: ignore[arg-type]


# --- Label Studio ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def at_30(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos of 90 frames at 30 per second, which is 3 s."""
    root = tmp_path_factory.mktemp("at30")
    frames = torch.zeros(90, 3, 16, 16, dtype=torch.uint8)
    for name in NAMES:
        write_video(root / name, frames, fps=30)
    return root


@pytest.mark.parametrize(
    ("options", "data", "more"),
    [
        ({"fps": 25}, {}, ()),
        ({}, {"fps": "25"}, ()),
        ({}, {}, (boxes("person", 75, 3.0),)),
        ({"fps": 25.0}, {"fps": 25}, ()),
    ],
    ids=["option", "field of the task", "frames and duration", "both"],
)
def test_frames_that_were_counted_by_another_rate_than_the_files_are_not_shifted(
    at_30: Path, options: dict[str, object], data: dict[str, object], more: tuple[dict[str, object], ...]
) -> None:
    """The tool counts 25 frames per second of a file of 30: its frames 26 to 50 are the second second."""
    dataset = label_studio(at_30, tasks(region("walk", 1, 25), region("sit", 26, 50), *more, **data), **options)
    walk, sit = dataset.records[:2]
    assert (walk.part, sit.part) == (VideoPart(0, 1), VideoPart(1, 2))
    assert (frames_of(walk), frames_of(sit)) == ((0, 30), (30, 60))
    (note,) = dataset.notes
    assert "frames of the tool became seconds at 25 per second, whatever the rate of the files" in note


def test_frames_of_an_unknown_rate_are_refused_and_those_of_the_file_are_taken_when_told(at_30: Path) -> None:
    content = tasks(region("walk", 1, 25), region("sit", 26, 90))
    with pytest.raises(DatasetError, match=r"task:1: does not say by how many frames per second .*dataset\.fps"):
        label_studio(at_30, content)
    records = label_studio(at_30, content, fps="file").records
    assert [frames_of(record) for record in records[:2]] == [(0, 25), (25, 90)]


CONTRADICTIONS = {
    r"states 24 frames per second, but --data\.dataset\.fps is 25": (tasks(region("a", 1, 2), fps=24), 25),
    r"counted 90 frames in 3 s, which are 30 per second and not 25": (
        tasks(region("a", 1, 2), boxes("person", 90, 3.0)),
        25,
    ),
    r"a range of frames is .*: expected start and end": (
        tasks({"type": "timelinelabels", "value": {"ranges": [{"start": 0}], "timelinelabels": ["a"]}}),
        25,
    ),
    r"the part from 0\.16 to 0\.12 s is reversed": (tasks(region("a", 5, 3)), 25),
    r"expected a list of tasks": ([1, 2], 25),
}


@pytest.mark.parametrize("words", CONTRADICTIONS)
def test_an_export_that_contradicts_itself_is_refused_with_its_task(at_30: Path, words: str) -> None:
    content, fps = CONTRADICTIONS[words]
    with pytest.raises(DatasetError, match=words) as error:
        label_studio(at_30, content, fps=fps)
    assert "\n" not in str(error.value)


def test_choices_and_boxes_are_classes_of_whole_videos(tmp_path: Path, files: Files) -> None:
    files(tmp_path, NAMES)
    labelled = [
        {"data": {"video": name}, "annotations": [{"result": [choice(label)]}]}
        for name, label in zip(NAMES, "aabb", strict=True)
    ]
    skipped = {"was_cancelled": True, "result": [choice("x")]}
    empty = {"data": {"video": "clip0.mp4"}, "annotations": [{"result": []}, skipped]}
    found = label_studio(tmp_path, [*labelled, empty], **ALL_TRAINED)
    assert [(r.label, r.part) for r in found.records] == [(label, None) for label in "aabb"]
    assert found.notes == ("export.json: tasks without labels, left out: 1",)
    least = [{"video": name, "choice": "ab"[k % 2]} for k, name in enumerate(NAMES)]
    assert [record.label for record in label_studio(tmp_path, least, **ALL_TRAINED).records] == ["a", "b", "a", "b"]


def test_a_tag_is_chosen_where_several_have_labels(tmp_path: Path, files: Files) -> None:
    files(tmp_path, NAMES)
    content = [
        {
            "data": {"video": name},
            "annotations": [{"result": [region("b", 1, 5, "other"), region("ab"[k % 2], 1, 9, "mine")]}],
        }
        for k, name in enumerate(NAMES)
    ]
    found = label_studio(tmp_path, content, fps=10, control="mine", **ALL_TRAINED).records
    assert [(record.label, record.part) for record in found[:2]] == [("a", VideoPart(0, 0.9)), ("b", VideoPart(0, 0.9))]


def test_videos_are_found_by_the_names_of_tools_and_never_outside_the_root(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [*NAMES, "deep/walk/same.mp4", "deep/sit/same.mp4"])
    called = [
        "/data/upload/3/0a1b2c3d-clip0.mp4?token=1", "/data/local-files/?d=project/clip1.mp4", "s3://bucket/x/clip2.mp4",
        "/home/other/videos/clip3.mp4", "walk/same.mp4", "C:\\videos\\deep\\sit\\same.mp4",
    ]  # fmt: skip
    content = [{"video": name, "choice": "ab"[k % 2]} for k, name in enumerate(called)]
    names = [record.name for record in label_studio(tmp_path, content).records]
    assert names == [*NAMES, "deep/walk/same.mp4", "deep/sit/same.mp4"]
    for hostile, words in (
        ("../../etc/passwd.mp4", "leads out of"),
        ("/data/local-files/?d=..%2f..%2fx.mp4", "leads out of"),
        ("same.mp4", "several videos below .* could be 'same.mp4'"),
        ("gone.mp4", r"1 of 7 videos are missing: .*task:7 -> "),
    ):
        with pytest.raises(DatasetError, match=words):
            label_studio(tmp_path, [*content, {"video": hostile, "choice": "a"}])


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{", '{"labels": 3}', ""], ids=["deep", "cut off", "no labels", "empty"]
)
@pytest.mark.parametrize("make", [LabelStudio, FiftyOne])
def test_hostile_json_is_refused_in_one_line(tmp_path: Path, make: Callable[[Path], VideoDataset], text: str) -> None:
    (tmp_path / "data").mkdir()
    file = tmp_path / "labels.json"
    file.write_text(text)
    with pytest.raises(DatasetError, match=r"labels\.json") as error:
        make(file if make is LabelStudio else tmp_path)
    assert "\n" not in str(error.value)


# --- CVAT ------------------------------------------------------------------------------------------------------------

META = "<meta><task><id>7</id>{}<source>clip0.mp4</source></task></meta>"
TRACK = '<track label="walk"><box frame="{}" outside="0"/>{}</track>'


TAGS = "".join(f'<image id="{k}" name="frame_00000{k}"><tag label="sit"/></image>' for k in (4, 5, 6))
STEP, END = "<frame_filter>step={}</frame_filter>", "<stop_frame>99</stop_frame>"
PARTS = {  # what stands in the body and in the task, the label, and the frames
    "outside": (TRACK.format(10, '<box frame="20" outside="1"/>'), "", "walk", "#frame=10,20"),
    "last shape": (TRACK.format(10, '<points frame="14" outside="0"/>'), "", "walk", "#frame=10,15"),
    "step": (TRACK.format(10, '<box frame="15" outside="0"/>'), STEP.format(5), "walk", "#frame=10,20"),
    "end of the task": (TRACK.format(90, ""), STEP.format(20) + END, "walk", "#frame=90,100"),
    "tags": (TAGS, "", "sit", "#frame=4,7"),
}


@pytest.mark.parametrize("kind", PARTS)
def test_tracks_and_tags_are_parts(tmp_path: Path, files: Files, kind: str) -> None:
    body, in_task, label, fragment = PARTS[kind]
    for k, name in enumerate(NAMES):
        files(tmp_path, [name])
        meta = META.format(in_task if k == 0 else "").replace("clip0", f"clip{k}")
        more = body if k == 0 else TRACK.format(0, "") + '<tag label="sit" frame="1"/>'
        (tmp_path / f"{k}.xml").write_text(f"<annotations>{meta}{more}</annotations>")
    records = CVAT(tmp_path, **ALL_TRAINED).records  # type: ignore[arg-type]
    assert [(r.label, r.name) for r in records if r.video_name == "clip0.mp4"] == [(label, f"clip0.mp4{fragment}")]
    assert {record.label for record in records} == {"sit", "walk"}
    with pytest.raises(DatasetError, match="only one class, 'sit'"):
        CVAT(tmp_path, labels="tags", **ALL_TRAINED)  # type: ignore[arg-type]


BAD_CVAT = {
    "document type": '<!DOCTYPE a [<!ENTITY x "y">]><annotations/>',
    "begins with <html>": "<html/>",
    "does not name the video": f"<annotations>{TRACK.format(1, '')}</annotations>",
    "a <track> has no label": "<annotations><track/></annotations>",
    "the frame 'x' is not a number": f"<annotations>{TRACK.format('x', '')}</annotations>",
    "leads out of": f"<annotations>{META.format('').replace('clip0', '../clip0')}{TRACK.format(1, '')}</annotations>",
}


@pytest.mark.parametrize("words", BAD_CVAT)
def test_xml_that_is_no_export_of_a_video_is_refused_in_one_line(tmp_path: Path, words: str) -> None:
    (tmp_path / "a.xml").write_text(BAD_CVAT[words])
    with pytest.raises(DatasetError, match=words) as error:
        CVAT(tmp_path / "a.xml")
    assert "\n" not in str(error.value)


# --- FiftyOne --------------------------------------------------------------------------------------------------------


def test_a_folder_by_class_has_whole_videos_and_leaves_out_those_without_a_label(tmp_path: Path, files: Files) -> None:
    files(tmp_path, [f"{label}/{k}.mp4" for label in ("sit", "walk", "_unlabeled") for k in range(3)])
    dataset = FiftyOne(tmp_path)
    assert (dataset.class_names, len(dataset.records)) == (["sit", "walk"], 6)
    assert dataset.notes == ("videos without a label, left out: 3",)


def test_detections_have_frames_from_1_or_seconds_and_labels_by_place_or_by_name(tmp_path: Path, files: Files) -> None:
    files(tmp_path / "data", NAMES)
    found = [{"label": "walk", "support": [1, 10]}, {"label": "sit", "timestamps": [0.4, 1.2]}, {"label": "run"}]
    (tmp_path / "labels.json").write_text(json.dumps({"labels": {Path(name).stem: found for name in NAMES}}))
    parts = [(record.label, record.part) for record in FiftyOne(tmp_path).records[:3]]
    assert parts == [("walk", VideoPart(0, 10, "frames")), ("sit", VideoPart(0.4, 1.2)), ("run", None)]
    found = [{"label": 2, "support": [1, 10]}]
    (tmp_path / "labels.json").write_text(json.dumps({"classes": ["a", "b"], "labels": {"clip0": found}}))
    with pytest.raises(DatasetError, match="video:1: the label is 2: expected 0 to 1"):
        FiftyOne(tmp_path)


@pytest.mark.parametrize("field", ["label", "video"])
def test_half_a_character_of_an_export_is_one_line(tmp_path: Path, field: str) -> None:
    label, video = ("\ud800", "a.mp4") if field == "label" else ("walk", "\ud800.mp4")
    results = [{"type": "choices", "value": {"choices": [label]}}]
    (tmp_path / "export.json").write_text(
        json.dumps([{"data": {"video": video}, "annotations": [{"result": results}]}])
    )
    with pytest.raises(
        DatasetError, match=r"export\.json task:1: '\\ud800.*' is not valid Unicode: correct the export"
    ):
        LabelStudio(tmp_path / "export.json")


# --- written and read again ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listed(at_30: Path) -> VideoCsv:
    """Of each video the first second, and from 1.5 s to its end."""
    file = at_30 / "clips.csv"
    file.write_text("\n".join(["path,label,start,end", *(f"{n},walk,0,1\n{n},sit,1.5," for n in NAMES), ""]))
    return VideoCsv(file)


@pytest.mark.parametrize("kind", ["cvat", "fiftyone"])
def test_what_is_written_for_a_tool_gives_the_same_parts_when_it_is_read(
    listed: VideoCsv, at_30: Path, tmp_path: Path, kind: str
) -> None:
    videos = list(labelled_videos(listed.records))
    if kind == "cvat":
        for video in videos:
            write_cvat(tmp_path / f"{video.name}.xml", video, listed.class_names)
        found: VideoDataset = CVAT(tmp_path, root=at_30)
    else:
        write_temporal_detections(tmp_path, videos, listed.class_names)
        found = FiftyOne(tmp_path, data=at_30)
        assert json.loads((tmp_path / "data.json").read_text())["clip0"] == str(at_30 / "clip0.mp4")
    assert sorted((r.video_name, r.label, frames_of(r)) for r in found.records) == sorted(
        (r.video_name, r.label, frames_of(r)) for r in listed.records
    )


def test_a_tree_has_whole_videos_alone_and_each_class_a_folder(at_30: Path, listed: VideoCsv, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is a part of a video, .* use --format fiftyone"):
        write_directory_tree(tmp_path / "tree", listed.records)
    assert not (tmp_path / "tree").exists()
    whole = [VideoRecord(r.source, r.label, "train", r.video_name) for r in listed.records]
    assert write_directory_tree(tmp_path / "tree", whole) == 8
    assert sorted(r.name for r in FiftyOne(tmp_path / "tree").records)[:2] == ["sit/clip0.mp4", "sit/clip1.mp4"]
