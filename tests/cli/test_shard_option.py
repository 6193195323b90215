from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls.datasets import VideoCsv
from vidcls.jobs import InThisProcess

Command = Callable[..., object]
COMMANDS = {
    "flow": ["flow", "--folder", "CLIPS", "--output", "out"],
    "prepare": ["data", "prepare", "CLIPS", "out"],
    "check": ["data", "check", "CLIPS"],
}


@pytest.fixture(autouse=True)
def clips(clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(clip_folder, tmp_path / "CLIPS"))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("shard", ["0/3", "4/3", "a/b"])
def test_a_shard_that_does_not_exist_is_one_line(vidcls: Command, command: str, shard: str) -> None:
    refusal = vidcls(*COMMANDS[command], "--shard", shard).refusal()
    assert "--shard: " in refusal
    assert shard in refusal
    assert "expected i/n with i from 1 to n" in refusal
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--json", "x.json"], "--json: needs what all shards find"),
        (["--fix_list", "x.csv"], "--fix_list: needs what all shards find"),
        (["--cache", "none"], "remove one of them"),
    ],
)
def test_a_report_on_all_videos_is_not_made_by_a_shard(vidcls: Command, words: list[str], said: str) -> None:
    assert said in vidcls("data", "check", "CLIPS", "--shard", "1/2", *words).refusal()


def test_after_all_shards_of_a_check_the_report_is_that_of_one_check_and_nothing_is_opened_again(
    vidcls: Command, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidcls.cli.check_options.chosen_pool", lambda _: InThisProcess())
    (clips / "train/left/1.avi").write_bytes(b"no video")
    assert "22 files opened" in vidcls("data", "check", "CLIPS", "--json", "one.json").out
    words = ("data", "check", "CLIPS", "--cache", "shared")
    for shard in ("2/2", "1/2"):
        outcome = vidcls(*words, "--shard", shard)
        assert f"shard {shard}: 11 of 22 videos" in outcome.out
        assert "11 files opened, 0 known" in outcome.out
        assert "reports on all videos" in outcome.out
    assert "0 files opened, 11 known" in vidcls(*words, "--shard", "1/2").out
    assert "0 files opened, 22 known" in vidcls(*words, "--json", "shards.json").out
    one, shards = (json.loads(Path(name).read_text()) for name in ("one.json", "shards.json"))
    for name in ("findings", "videos", "classes"):
        assert one[name] == shards[name]


@pytest.mark.slow
def test_three_processes_at_once_make_one_copy_with_its_flow(vidcls: Command) -> None:
    words = ["data", "prepare", "CLIPS", "copy", "--num_workers", "1", "--short_side", "16", "--with_flow", "dis"]
    program = "import sys; from vidcls.cli import main; sys.exit(main(sys.argv[1:]))"
    started = [
        subprocess.Popen([sys.executable, "-c", program, *words, "--shard", f"{number}/3"]) for number in (1, 2, 3)
    ]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert len(VideoCsv("copy/clips.csv").records) == 22
    assert json.loads(Path("copy/flow/manifest.json").read_text())["num_videos"] == 22
    assert "(22 were there)" in vidcls(*words).out
    for part in ("", "/flow"):
        assert not Path(f"copy{part}/failures.csv").exists()
