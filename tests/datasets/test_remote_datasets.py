"""Data sets at addresses have the records of the same files on this machine, read from addresses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from object_servers import BUCKET, Fault, S3Server, WebServer, put_folder

from vidcls.datasets import HMDB51, UCF101, Kinetics, SomethingSomething, VideoCsv, VideoDataset, VideoFolder
from vidcls.datasets.places import is_folder
from vidcls.errors import DatasetError, MissingDataError
from vidcls.remote import place_of, upload
from vidcls.video import RemoteFile


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"0")
    return root


def facts(data: VideoDataset) -> list[tuple[object, ...]]:
    return [(r.name, r.label, r.split, r.group, dict(r.extra), r.several) for r in data.records]


def ucf101(tmp_path: Path) -> tuple[type[VideoDataset], Path, Path, dict[str, object]]:
    names = [f"{label}/v_{label}_g{g:02d}_c01.avi" for label in ("Archery", "Bowling") for g in range(1, 6)]
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Archery\n2 Bowling\n")
    (lists / "trainlist01.txt").write_text("".join(f"{n} {1 + n.startswith('B')}\n" for n in names if "_g01" not in n))
    (lists / "testlist01.txt").write_text("".join(f"{n}\n" for n in names if "_g01" in n))
    return UCF101, touch(tmp_path / "videos", *names), lists, {"val_fraction": 0.25}


def hmdb51(tmp_path: Path) -> tuple[type[VideoDataset], Path, Path, dict[str, object]]:
    names = {label: [f"m{k}_{label}_u_nm_np1_ba_goo_0.avi" for k in range(5)] for label in ("run", "walk")}
    lists = tmp_path / "lists"
    lists.mkdir()
    for label, files in names.items():
        text = "".join(f"{name} {2 if k == 0 else 1}\n" for k, name in enumerate(files))
        (lists / f"{label}_test_split1.txt").write_text(text)
    every = [f"{label}/{name}" for label, files in names.items() for name in files]
    return HMDB51, touch(tmp_path / "videos", *every), lists, {"val_fraction": 0.25}


def kinetics(tmp_path: Path) -> tuple[type[VideoDataset], Path, Path, dict[str, object]]:
    lists = tmp_path / "lists"
    lists.mkdir()
    names = []
    for split in ("train", "val", "test"):
        rows = ["label,youtube_id,time_start,time_end,split"]
        for k in range(6):
            label, clip = ("air drumming", "yoga")[k % 2], f"{split}{k:06d}"[-11:].rjust(11, "x")
            rows.append(f"{label},{clip},0,10,{split}")
            names.append(f"{split}/{label.replace(' ', '_')}/{clip}_000000_000010.mp4")
        (lists / f"kinetics_{split}.csv").write_text("\n".join(rows) + "\n")
    return Kinetics, touch(tmp_path / "videos", *names), lists, {}


def something(tmp_path: Path) -> tuple[type[VideoDataset], Path, Path, dict[str, object]]:
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "labels.json").write_text(json.dumps({"Holding something": "0", "Moving something": "1"}))
    for name, numbers in {"train": range(1, 9), "validation": range(9, 13)}.items():
        items = [{"id": str(k), "template": ("Holding [something]", "Moving [something]")[k % 2]} for k in numbers]
        (lists / f"{name}.json").write_text(json.dumps(items))
    return (
        SomethingSomething,
        touch(tmp_path / "videos", *(f"{k}.webm" for k in range(1, 13))),
        lists,
        {"val_fraction": 0.25},
    )


@pytest.mark.parametrize("make", [ucf101, hmdb51, kinetics, something])
def test_the_published_data_sets_are_read_from_addresses(make, s3: S3Server, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    kind, videos, lists, options = make(tmp_path)
    here = kind(videos, lists, **options)  # type: ignore[call-arg, arg-type]
    root = put_folder(videos, f"s3://{BUCKET}/{make.__name__}/videos")
    there = kind(root, put_folder(lists, f"s3://{BUCKET}/{make.__name__}/lists"), **options)  # type: ignore[call-arg, arg-type]
    assert facts(there) == facts(here)
    assert there.class_names == here.class_names
    assert [r.source for r in there.records] == [RemoteFile(f"{root}/{r.name}") for r in here.records]
    assert str(there.root) == root
    s3.client().delete_object(Bucket=BUCKET, Key=f"{make.__name__}/videos/{here.records[0].name}")
    with pytest.raises(DatasetError, match=r"1 of .* (videos|clips) are missing"):
        kind(root, lists, **options)  # type: ignore[call-arg, arg-type]


def test_a_folder_by_class_is_read_from_an_address(s3: S3Server, clip_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "videos"
    shutil.copytree(clip_folder, root)
    touch(root, "train/left/.hidden.avi", "train/left/notes.txt", "train/left/@eaDir/x.avi")
    address = put_folder(root, f"s3://{BUCKET}/by_class")
    here, there = VideoFolder(root), VideoFolder(address)
    assert facts(there) == facts(here)
    assert list(there.notes) == list(here.notes)
    assert there.records[0].source.name == f"{address}/{here.records[0].name}"
    with pytest.raises(MissingDataError, match=f"there is nothing below s3://{BUCKET}/nothing; check the address"):
        VideoFolder(f"s3://{BUCKET}/nothing")
    touch(root, "train/loose.avi")
    upload(root / "train/loose.avi", place_of(f"{address}/train/loose.avi"))
    with pytest.raises(DatasetError, match=r"videos without a class in s3://videos/by_class/train: loose\.avi"):
        VideoFolder(address)


def test_lists_and_their_videos_may_each_be_at_an_address(s3: S3Server, web: WebServer, tmp_path: Path) -> None:
    from vidcls import allow_remote

    allow_remote("s3")
    names = [f"{label}/{k}.mp4" for label in "ab" for k in range(8)]
    root = put_folder(touch(tmp_path / "videos", *names), f"s3://{BUCKET}/lists/videos")
    rows = [f"{name},{name[0]}" for name in names]
    (tmp_path / "videos" / "clips.csv").write_text("\n".join(["path,label", *rows]))
    upload(tmp_path / "videos" / "clips.csv", place_of(f"{root}/clips.csv"))
    web.files["/clips.csv"] = (tmp_path / "videos" / "clips.csv").read_bytes()
    web.files |= {f"/{name}": b"0" for name in names}
    here = VideoCsv(tmp_path / "videos" / "clips.csv")
    for path, options in {
        f"{root}/clips.csv": {},
        f"{web.url}/clips.csv": {"root": root},
        str(tmp_path / "videos" / "clips.csv"): {"root": f"{root}/"},
    }.items():
        there = VideoCsv(path, **options)
        assert facts(there) == facts(here)
        assert [r.source for r in there.records] == [RemoteFile(f"{root}/{name}") for name in names]
    on_the_web = VideoCsv(f"{web.url}/clips.csv")
    assert facts(on_the_web) == facts(here)
    assert on_the_web.records[0].source == RemoteFile(f"{web.url}/a/0.mp4")
    (tmp_path / "addresses.csv").write_text("\n".join(["path,label", *(f"{root}/{row}" for row in rows)]))
    named = VideoCsv(tmp_path / "addresses.csv")
    assert [r.source for r in named.records] == [RemoteFile(f"{root}/{name}") for name in names]
    assert all(r.name.startswith("outside/") for r in named.records)
    assert [replace(r, split="train") for r in VideoCsv(tmp_path / "addresses.csv", root=root).records] == [
        replace(r, split="train", source=RemoteFile(f"{root}/{r.name}")) for r in here.records
    ]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("/etc/a.mp4", "is a path of one machine, and the videos are below s3://videos/x"),
        ("../../../a.mp4", "leads out of s3://videos/x"),
        ("gone.mp4", r"1 of 5 videos are missing: .*csv:2 -> s3://videos/x/gone\.mp4"),
        ("https://example.org/a.mp4", "csv:2: https://example.org/a.mp4: .*add --allow-remote https"),
        ("file:///etc/a.mp4", "csv:2: file:///etc/a.mp4: is an address of this machine"),
    ],
)
def test_what_a_list_may_not_name_is_said_with_its_line(cell: str, words: str, s3: S3Server, tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        s3.put(f"x/{name}.mp4", b"0")
    (tmp_path / "clips.csv").write_text(f"path,label\n{cell},a\na.mp4,a\nb.mp4,a\nc.mp4,b\nd.mp4,b\n")
    with pytest.raises(DatasetError, match=words):
        VideoCsv(tmp_path / "clips.csv", root=f"s3://{BUCKET}/x", val_fraction=0.3, test_fraction=0)


def test_many_missing_videos_are_found_by_one_listing(s3: S3Server, tmp_path: Path) -> None:
    from vidcls.datasets.places import FEW

    rows = []
    for k in range(FEW + 50):
        s3.put(f"many/{k}.mp4", b"0")
        rows.append(f"many/{k}.mp4,{'ab'[k % 2]}")
    (tmp_path / "clips.csv").write_text("\n".join(["path,label", *rows]))
    s3.proxy.reset()
    VideoCsv(tmp_path / "clips.csv", root=f"s3://{BUCKET}/")
    assert len(s3.proxy.requests) == 2  # whether there is anything, and all that there is
    for k in range(7, 57):
        s3.client().delete_object(Bucket=BUCKET, Key=f"many/{k}.mp4")
    s3.proxy.reset()
    with pytest.raises(DatasetError, match=r"50 of 250 videos are missing: .*csv:9 -> s3://videos/many/7\.mp4"):
        VideoCsv(tmp_path / "clips.csv", root=f"s3://{BUCKET}/")
    assert s3.proxy.count("HEAD") <= 20  # what a complete listing lacks is not there; some are asked for to be sure


def test_a_bucket_that_may_be_read_but_not_listed_is_enough_for_a_list(s3: S3Server, tmp_path: Path) -> None:
    from vidcls.datasets.places import FEW

    names = [f"{'ab'[k % 2]}/{k}.mp4" for k in range(FEW + 10)]
    for name in names:
        s3.put(f"unlisted/{name}", b"0")
    text = "\n".join(["path,label", *(f"{name},{name[0]}" for name in names)])
    (tmp_path / "train.csv").write_text(text)
    address = s3.put("unlisted/train.csv", text.encode())
    s3.proxy.faults = [Fault(status=403, times=99, part="list-type=2")]
    there = VideoCsv(tmp_path / "train.csv", root=f"s3://{BUCKET}/unlisted")
    assert [r.name for r in there.records] == names
    assert s3.proxy.count("GET") == 2  # the folder and its videos; then each is asked for
    assert facts(VideoCsv(address)) == facts(there)


def test_only_one_level_is_listed_to_see_whether_a_folder_exists(s3: S3Server) -> None:
    s3.put("levels/a/b/c.mp4", b"0")
    s3.proxy.reset()
    assert is_folder(place_of(f"s3://{BUCKET}/levels"))
    assert not is_folder(place_of(f"s3://{BUCKET}/level"))
    assert all("delimiter=" in path for _, path in s3.proxy.requests)
