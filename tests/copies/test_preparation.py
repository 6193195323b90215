"""A prepared copy: the same videos smaller, resumable, verified, and as good to train on."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torchvision.transforms.v2 import functional as F

from vidcls.cli import main
from vidcls.copies.preparation import prepare, prepare_video
from vidcls.copies.prepared_folder import PreparedFolder, PrepareSettings
from vidcls.datasets import VideoCsv, VideoFolder
from vidcls.datasets.folds import refold
from vidcls.errors import DatasetError, DecodeError
from vidcls.jobs import local_pool
from vidcls.types import VideoRecord
from vidcls.video import LocalFile, open_video, write_video

SMALL = PrepareSettings(short_side_px=16, quality=2)


def copy_of(root: Path, name: str) -> Path:
    return root / "videos" / f"{name}.jpeg.avi"


def copied(root: Path) -> VideoCsv:
    return VideoCsv(root / "clips.csv")


def test_the_copy_has_the_same_videos_at_the_size_that_was_asked_for(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    done = prepare(clip_dataset.records, tmp_path / "small", SMALL, pool=local_pool(2))
    assert (len(done.videos), done.num_kept, done.failures) == (22, 0, [])
    dataset = copied(tmp_path / "small")
    assert [(r.label, r.split) for r in dataset.records] == [(r.label, r.split) for r in clip_dataset.records]
    for before, after, row in zip(clip_dataset.records, dataset.records, done.videos, strict=True):
        with open_video(before.path) as source, open_video(after.path) as copy:
            assert copy.backend == "jpeg"
            frames, expected = copy.frames(range(8)), F.resize(source.frames(range(8)), [16], antialias=True)
            assert frames.shape == (8, 3, 16, 20)
            squared = (frames.float() - expected.float()).square().mean()
            assert row.psnr_db == pytest.approx(10 * float(torch.log10(255**2 / squared)), abs=0.01)
            assert row.psnr_db > 25
            assert (copy.fps, copy.num_frames) == (source.fps, source.num_frames)
        assert row.num_bytes == after.path.stat().st_size
        assert row.source_bytes == before.path.stat().st_size
    manifest = json.loads((tmp_path / "small/manifest.json").read_text())
    assert manifest["num_videos"] == 22
    assert manifest["num_frames"] == 22 * 8
    assert manifest["min_psnr_db"] == min(row.psnr_db for row in done.videos)
    assert manifest["num_bytes"] == sum(row.num_bytes for row in done.videos)


def test_what_is_there_stays_and_what_changed_is_made_again(clip_folder: Path, tmp_path: Path) -> None:
    source, root = tmp_path / "clips", tmp_path / "small"
    shutil.copytree(clip_folder, source)
    prepare(VideoFolder(source).records, root, SMALL, pool=local_pool(0))
    records = VideoFolder(source).records
    changed, removed, cut = records[0], records[1], records[2]
    write_video(changed.path, torch.zeros(5, 3, 32, 40, dtype=torch.uint8), codec="mjpeg")
    copy_of(root, removed.name).unlink()
    copy_of(root, cut.name).write_bytes(copy_of(root, cut.name).read_bytes()[:-1])
    before = {record.name: copy_of(root, record.name).stat().st_mtime_ns for record in records[3:]}
    done = prepare(records, root, SMALL, pool=local_pool(0))
    assert done.num_kept == 19
    assert done.videos[0].num_frames == 5
    assert {name: copy_of(root, name).stat().st_mtime_ns for name in before} == before
    assert prepare(records, root, SMALL, pool=local_pool(0)).num_kept == 22


def test_the_last_line_of_a_journal_that_was_cut_off_counts_for_nothing(
    clip_dataset: VideoFolder, tmp_path: Path
) -> None:
    records = clip_dataset.records[:3]
    prepare(records, tmp_path / "small", SMALL, pool=local_pool(0))
    journal = tmp_path / "small/prepared.csv"
    journal.write_text(journal.read_text()[:-4])
    done = prepare(records, tmp_path / "small", SMALL, pool=local_pool(0))
    assert done.num_kept == 2
    with journal.open(newline="") as file:
        assert sorted(row["name"] for row in csv.DictReader(file)) == sorted(record.name for record in records)


def test_failures_do_not_stop_the_others_and_are_listed(clip_folder: Path, tmp_path: Path) -> None:
    source, root = tmp_path / "clips", tmp_path / "small"
    shutil.copytree(clip_folder, source)
    (source / "train/left/1.avi").write_bytes(b"no video")
    records = VideoFolder(source).records
    done = prepare(records, root, SMALL, pool=local_pool(0))
    assert [name for name, _ in done.failures] == ["train/left/1.avi"]
    assert len(copied(root).records) == 21
    assert "cannot be decoded" in (root / "failures.csv").read_text()
    shutil.copy(source / "train/left/0.avi", source / "train/left/1.avi")
    assert prepare(records, root, SMALL, pool=local_pool(0)).failures == []
    assert not (root / "failures.csv").exists()


def test_other_settings_and_other_folders_are_refused(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    prepare(clip_dataset.records[:1], tmp_path / "small", SMALL, pool=local_pool(0))
    with pytest.raises(DatasetError, match="other settings"):
        prepare(clip_dataset.records, tmp_path / "small", PrepareSettings(32), pool=local_pool(0))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match="is not empty"):
        prepare(clip_dataset.records, tmp_path / "full", SMALL, pool=local_pool(0))
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]
    with pytest.raises(ValueError, match="short_side_px"):
        PrepareSettings(8)


def test_small_videos_keep_their_size_and_long_ones_are_read_in_parts(tmp_path: Path) -> None:
    frames = torch.randint(0, 255, (150, 3, 4, 5), dtype=torch.uint8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    write_video(tmp_path / "long.avi", frames, codec="ffv1", fps=30)
    record = VideoRecord(LocalFile(tmp_path / "long.avi"), "a", "train", "deep/long.avi")
    row = prepare_video(PreparedFolder(tmp_path / "small", PrepareSettings(128, 1), {}), record)
    assert row.num_frames == 150
    with open_video(copy_of(tmp_path / "small", "deep/long.avi")) as copy:
        found = copy.frames(range(150))
    assert found.shape == frames.shape
    nearest = [int((frames.float() - found[k].float()).abs().mean(dim=(1, 2, 3)).argmin()) for k in (0, 63, 64, 149)]
    assert nearest == [0, 63, 64, 149]


def test_a_copy_that_does_not_read_back_is_no_copy(
    clip_dataset: VideoFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vidcls.copies.preparation as preparation

    def loses_a_frame(path: Path, frames: object, **settings: object) -> None:
        write_video(path, list(frames)[:-1], **settings)  # type: ignore[arg-type,call-overload]

    monkeypatch.setattr(preparation, "write_video", loses_a_frame)
    with pytest.raises(DecodeError, match="has 7 frames where 8 were written"):
        prepare_video(PreparedFolder(tmp_path, SMALL, {}), clip_dataset.records[0])


def test_a_killed_preparation_goes_on_and_nothing_half_written_counts(clip_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "small"
    command = [sys.executable, "-m", "vidcls.cli", "data", "prepare", str(clip_folder), str(root), "--num_workers", "1"]
    program = f"import sys; from vidcls.cli import main; sys.exit(main({command[3:]!r}))"
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    journal = root / "prepared.csv"
    while process.poll() is None and not (journal.is_file() and journal.read_text().count("\n") >= 4):
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not (root / "clips.csv").exists()
    assert main(["data", "prepare", str(clip_folder), str(root), "--num_workers", "1"]) == 0
    dataset = copied(root)
    assert len(dataset.records) == 22
    for record in dataset.records:
        with open_video(record.path, "jpeg") as video:
            assert video.frames(range(8)).shape == (8, 3, 32, 40)


def test_the_command_says_sizes_and_how_to_train_and_flow_lies_beside(
    clip_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = [
        "data",
        "prepare",
        str(clip_folder),
        "small",
        "--short_side",
        "32",
        "--with_flow",
        "dis",
        "--num_workers",
        "1",
    ]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "22 videos (0 were there), 176 frames" in printed
    assert "PSNR" in printed
    options = printed.splitlines()[-1].partition("train on it with: ")[2].split()
    assert options == ["--data", "video_csv", "--data.dataset.path", "small/clips.csv", "--data.flow", "small/flow"]
    small = ["--model.spatial", "small", "--model.temporal", "small", "--trainer.max_epochs", "1"]
    size = ["--data.transform.resize_px", "32", "--data.transform.crop_px", "32", "--data.flow_len", "2"]
    quiet = ["--trainer.enable_progress_bar", "false", "--data.num_workers", "0", "--trainer.accelerator", "cpu"]
    assert main(["fit", "--model", "TwoStream", *options, *small, *size, *quiet, "--run", "run"]) == 0
    assert main(["test", "--run", "run", "--ckpt_path", "best"]) == 0
    assert main(words) == 0
    assert "(22 were there)" in capsys.readouterr().out


def test_a_preparation_with_failures_has_status_1(
    clip_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "clips"
    shutil.copytree(clip_folder, source)
    (source / "train/left/1.avi").write_bytes(b"no video")
    assert main(["data", "prepare", str(source), str(tmp_path / "small"), "--num_workers", "1"]) == 1
    assert "1 videos failed" in capsys.readouterr().out
    assert main(["data", "prepare", str(source), str(tmp_path / "small"), "--short_side", "4"]) == 2
    assert "short_side_px must be at least 16" in capsys.readouterr().err


def test_a_split_that_spreads_groups_stays_as_it_is(
    clip_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{p},{p.parent.name},{p.parts[-3]},one" for p in sorted(clip_folder.rglob("*.avi"))]
    table = tmp_path / "clips.csv"
    table.write_text("path,label,split,group\n" + "\n".join(lines) + "\n")
    with pytest.raises(DatasetError, match="group"):
        VideoCsv(table)
    official = ["--data.dataset.official_split", "true"]
    assert main(["data", "prepare", str(table), str(tmp_path / "small"), "--num_workers", "1", *official]) == 0
    assert "--data.dataset.official_split true" in capsys.readouterr().out
    assert len(VideoCsv(tmp_path / "small/clips.csv", official_split=True).records) == 22


def test_a_copy_without_a_part_is_refused(
    clip_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "clips"
    shutil.copytree(clip_folder, source)
    for path in (source / "test").rglob("*.avi"):
        path.write_bytes(b"no video")
    assert main(["data", "prepare", str(source), str(tmp_path / "small"), "--num_workers", "1"]) == 2
    assert "no video of the split test is in the copy" in capsys.readouterr().err


def test_a_copy_of_other_videos_is_kept_and_leftovers_go(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    root = tmp_path / "small"
    prepare(clip_dataset.records[:2], root, SMALL, pool=local_pool(0))
    left = copy_of(root, clip_dataset.records[0].name).parent / ".0.avi.jpeg-abc.avi"
    left.write_bytes(b"half")
    with pytest.raises(DatasetError, match="other videos"):
        prepare(clip_dataset.records[2:], root, SMALL, pool=local_pool(0))
    prepare(clip_dataset.records, root, SMALL, pool=local_pool(0))
    assert not left.exists()


def test_a_kill_in_the_first_of_all_writes_is_no_obstacle(clip_dataset: VideoFolder, tmp_path: Path) -> None:
    root = tmp_path / "small"
    root.mkdir()
    left = root / ".manifest-1a2b3c4d.json"
    left.write_text('{"form')
    prepare(clip_dataset.records, root, SMALL, pool=local_pool(0))
    assert len(copied(root).records) == 22
    assert not left.exists()


def test_a_name_that_is_no_text_is_a_failure_of_that_video(clip_folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "clips"
    shutil.copytree(clip_folder, source)
    odd = source / "train" / "left" / "caf\udce9.avi"
    try:
        shutil.copy(source / "train/left/0.avi", odd)
    except OSError:
        pytest.skip("the file system takes no such name")
    done = prepare(VideoFolder(source).records, tmp_path / "small", SMALL, pool=local_pool(0))
    assert [name for name, _ in done.failures] == ["train/left/caf\\udce9.avi"]
    assert len(done.videos) == 22


@pytest.mark.slow
def test_a_network_learns_from_the_copy_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert main(["data", "prepare", "early_fusion", "small", "--short_side", "64", "--num_workers", "2"]) == 0
    top1 = []
    for name, data in (("originals", []), ("copy", ["--data", "video_csv", "--data.dataset.path", "small/clips.csv"])):
        quiet = ["--trainer.enable_progress_bar", "false", "--data.num_workers", "0"]
        assert main(["fit", "--config", "early_fusion", *data, *quiet, "--run", name]) == 0
        assert main(["test", "--run", name, "--ckpt_path", "best"]) == 0
        top1.append(json.loads(Path(name, "test.json").read_text())["table"]["model"]["top1"])
    assert min(top1) > 0.95
    assert abs(top1[0] - top1[1]) < 0.03


@pytest.mark.parametrize("fold", [0, 1])
def test_a_copy_has_the_parts_that_the_folds_give(clip_folder: Path, tmp_path: Path, fold: int) -> None:
    folds = ["--data.num_folds", "2", "--data.fold", str(fold)]
    assert main(["data", "prepare", str(clip_folder), str(tmp_path / "small"), "--num_workers", "1", *folds]) == 0
    expected = {r.name: r.split for r in refold(VideoFolder(clip_folder).records, 2, fold)}
    found = {r.name.partition("/")[2].removesuffix(".jpeg.avi"): r.split for r in copied(tmp_path / "small").records}
    assert found == expected
    assert expected != {r.name: r.split for r in VideoFolder(clip_folder).records}
