"""Miniatures of every data set's real layout: empty files, since a data set opens no video."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from vidcls.datasets import (
    CVAT,
    HMDB51,
    UCF101,
    FiftyOne,
    Kinetics,
    LabelStudio,
    MovingShapes,
    SomethingSomething,
    VideoCsv,
    VideoDataset,
    VideoFolder,
)


def touch(root: Path, names: Iterable[str]) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def write_lines(file: Path, *lines: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def make_folder(base: Path) -> VideoFolder:
    touch(base, [f"{label}/p{p}_{k}.mp4" for label in ("sit", "walk") for p in range(5) for k in range(2)])
    return VideoFolder(base, group_pattern=r"/(p\d)_")


def make_csv(base: Path) -> VideoCsv:
    names = [f"videos/{label}_{k}.mp4" for label in ("a", "b") for k in range(6)]
    touch(base, names)
    write_lines(base / "clips.csv", "path,label,group,fps", *(f"{n},{n[7]},g{n[9]},25" for n in names))
    return VideoCsv(base / "clips.csv")


def make_ucf101(base: Path) -> UCF101:
    """Two classes of four groups of two clips; group 1 of each class is the test split."""
    names = [f"{c}/v_{c}_g{g:02d}_c{k:02d}.avi" for c in ("Archery", "YoYo") for g in (1, 2, 3, 4) for k in (1, 2)]
    touch(base / "UCF-101", names)
    number = {"Archery": 1, "YoYo": 2}
    write_lines(base / "lists/classInd.txt", "1 Archery", "2 YoYo")
    write_lines(base / "lists/testlist01.txt", *(n for n in names if "_g01_" in n))
    write_lines(base / "lists/trainlist01.txt", *(f"{n} {number[n.split('/')[0]]}" for n in names if "_g01_" not in n))
    return UCF101(base / "UCF-101", base / "lists")


def make_hmdb51(base: Path) -> HMDB51:
    """Two classes; each line of a split file ends with a blank, as in the official ones."""
    for label in ("brush_hair", "wave"):
        codes = {"April_09": 1, "May_10": 1, "June_11": 1, "Brushing_hair_2": 2, "Unused": 0}
        names = {f"{source}_{label}_u_nm_np1_ba_goo_{k}.avi": code for source, code in codes.items() for k in range(2)}
        touch(base / "videos" / label, names)
        write_lines(base / f"splits/{label}_test_split1.txt", *(f"{name} {code} " for name, code in names.items()))
    return HMDB51(base / "videos", base / "splits")


def make_kinetics(base: Path) -> Kinetics:
    """Train with class folders (one has an underscore for its blank), validation flat, the test without labels."""
    header = "label,youtube_id,time_start,time_end,split"
    train = [(label, f"{label[0]}-_{k:08d}", 10 * k) for label in ("abseiling", "air drumming") for k in range(4)]
    val = [("abseiling", "VVVVVVVVVV0", 5), ("air drumming", "VVVVVVVVVV1", 95)]
    touch(base / "clips/train", [f"{c.replace(' ', '_')}/{i}_{s:06d}_{s + 10:06d}.mp4" for c, i, s in train])
    touch(base / "clips/val", [f"{i}_{s:06d}_{s + 10:06d}.mkv" for _, i, s in val])
    for split, rows in (("train", train), ("validate", val)):
        write_lines(base / f"csv/{split}.csv", header, *(f"{c},{i},{s},{s + 10},{split}" for c, i, s in rows))
    write_lines(base / "csv/test.csv", "youtube_id,time_start,time_end,split", "TTTTTTTTTT0,0,10,test")
    return Kinetics(base / "clips", base / "csv")


def make_something_something(base: Path) -> SomethingSomething:
    templates = ["Holding [something] next to [something]", "Putting [number of] [something] onto [something]"]
    labels = {template.replace("[", "").replace("]", ""): str(k) for k, template in enumerate(templates)}
    train = [{"id": str(k), "label": "holding a potato", "template": templates[k % 2]} for k in range(8)]
    validation = [{"id": str(100 + k), "label": "holding a cup", "template": templates[k]} for k in range(2)]
    touch(base / "videos", [f"{item['id']}.webm" for item in train + validation])
    for stem, content in (("labels", labels), ("train", train), ("validation", validation), ("test", [{"id": "999"}])):
        write_lines(base / f"json/something-something-v2-{stem}.json", json.dumps(content))
    return SomethingSomething(base / "videos", base / "json")


LABELLED = [("walk", 1, 50), ("sit", 51, 75)]
TOOL_NAMES = [f"day{k % 2}/clip{k}.mp4" for k in range(6)]


def make_label_studio(base: Path) -> LabelStudio:
    """Six videos of two ranges each, counted at 25 frames per second; uploads have eight letters before their name."""
    touch(base, TOOL_NAMES)
    tasks = [
        {
            "id": k,
            "data": {"video": f"/data/upload/1/0a1b2c3{k}-clip{k}.mp4" if k % 2 else f"/data/local-files/?d=x/{name}"},
            "annotations": [
                {
                    "result": [
                        {
                            "type": "timelinelabels",
                            "from_name": "videoLabels",
                            "value": {"ranges": [{"start": first, "end": last}], "timelinelabels": [label]},
                        }
                        for label, first, last in LABELLED
                    ]
                }
            ],
        }
        for k, name in enumerate(TOOL_NAMES)
    ]
    write_lines(base / "export.json", json.dumps(tasks))
    return LabelStudio(base / "export.json", fps=25)


def make_cvat(base: Path) -> CVAT:
    """Six videos, a file for each: a track of frames 0 to 49 and a tag of the frames 50 to 74."""
    touch(base, TOOL_NAMES)
    for k, name in enumerate(TOOL_NAMES):
        boxes = ['<box frame="0" outside="0" xtl="0"/>', '<box frame="50" outside="1" xtl="0"/>']
        tags = [f'<image id="{f}" name="frame_{f:06d}"><tag label="sit"/></image>' for f in range(50, 75)]
        meta = f"<meta><task><id>{k}</id><stop_frame>99</stop_frame><source>{Path(name).name}</source></task></meta>"
        track = '<track id="0" label="walk">' + "".join(boxes) + "</track>"
        write_lines(base / f"{k}.xml", f"<annotations>{meta}", track, *tags, "</annotations>")
    return CVAT(base)


def make_fiftyone(base: Path) -> FiftyOne:
    touch(base / "data", TOOL_NAMES)
    detections = [{"label": k, "support": [first, last]} for k, (_, first, last) in enumerate(LABELLED)]
    labels: dict[str, object] = {str(Path(name).with_suffix("")): detections for name in TOOL_NAMES}
    content = {"classes": ["walk", "sit"], "labels": {**labels, "day0/unlabelled": None}}
    write_lines(base / "labels.json", json.dumps(content))
    return FiftyOne(base)


def make_moving_shapes(base: Path) -> MovingShapes:
    dataset = MovingShapes(base, num_train=8, num_val=8, num_test=8, num_frames=2, size_px=32)
    dataset.prepare()
    return dataset


MINIATURES: dict[str, Callable[[Path], VideoDataset]] = {
    "CVAT": make_cvat,
    "FiftyOne": make_fiftyone,
    "HMDB51": make_hmdb51,
    "Kinetics": make_kinetics,
    "LabelStudio": make_label_studio,
    "MovingShapes": make_moving_shapes,
    "SomethingSomething": make_something_something,
    "UCF101": make_ucf101,
    "VideoCsv": make_csv,
    "VideoFolder": make_folder,
}


@pytest.fixture
def make() -> Callable[[str, Path], VideoDataset]:
    """``make("UCF101", folder)`` writes a miniature of that data set into the folder and reads it."""
    return lambda name, base: MINIATURES[name](base)


@pytest.fixture
def files() -> Callable[[Path, Iterable[str]], None]:
    """``files(root, names)`` makes empty files."""
    return touch


@pytest.fixture
def lines() -> Callable[..., Path]:
    """``lines(file, *lines)`` writes a text file."""
    return write_lines
