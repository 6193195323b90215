from __future__ import annotations

import csv
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.nn import functional as F

from vidcls.artifacts.partial_files import PARTIAL_FOLDER, process_is_running
from vidcls.flow import FlowStore, flow_as_stored
from vidcls.flow.disk_space import estimate_space
from vidcls.flow.report import Report
from vidcls.flow.settings import FlowSettings
from vidcls.jobs import Pool, local_pool
from vidcls.shard import WHOLE, Shard
from vidcls.types import VideoRecord
from vidcls.video import LocalFile, open_video, write_video

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "precompute_flow.py"
NUM_VIDEOS = 6


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("precompute_flow_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def original_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for i in range(NUM_VIDEOS):
        coarse = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(i))
        image = (F.interpolate(coarse, size=(72, 96), mode="bicubic")[0].clamp(0, 1) * 255).to(torch.uint8)
        frames = torch.stack([image[:, :48, t : 64 + t] for t in range(12)])
        write_video(folder / f"class_{i % 2}" / f"{i}.mp4", frames)
    rows = [("path", "label"), *((f"class_{i % 2}/{i}.mp4", f"class_{i % 2}") for i in range(NUM_VIDEOS))]
    with (folder / "clips.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture
def videos(original_videos: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original_videos, tmp_path / "videos"))


def records_of(folder: Path) -> list[VideoRecord]:
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.mp4"))
    return [VideoRecord(source=LocalFile(folder / name), label="", split="train", name=name) for name in names]


def flow_files(store: Path) -> dict[str, tuple[int, int]]:
    """Names of the finished files with the marks of a rewrite: inode and time of change."""
    found = store.rglob("*.flow")
    return {p.relative_to(store).as_posix(): (p.stat().st_ino, p.stat().st_mtime_ns) for p in found}


def test_a_data_set_goes_in_and_a_store_comes_out_and_one_bad_file_stops_nothing(
    script: ModuleType, videos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store_folder = tmp_path / "flow"
    (videos / "class_1" / "3.mp4").write_bytes(b"no video")
    words = ["--data.dataset", "VideoCsv", "--data.dataset.path", str(videos / "clips.csv")]
    words += ["--data.dataset.test_fraction", "0.4", "--output", str(store_folder), "--num_workers", "2"]

    assert script.main([*words, "--bound", "10", "--short_side", "40"]) == 1
    out, err = capfd.readouterr()
    assert "6 of 6 videos to do: about" in out
    assert "free" in out
    assert (
        "5 videos computed (55 fields), 0 kept, 1 failed\n0 % of the flow values are beyond the bound of 10 px" in out
    )
    assert "failed: class_1/3.mp4: " in err
    assert "Traceback" not in err
    failures = list(csv.DictReader((store_folder / "failures.csv").open()))
    assert [row["name"] for row in failures] == ["class_1/3.mp4"]
    settings = FlowSettings("dis", 10.0, 40)
    store = FlowStore(store_folder)
    assert store.settings == settings
    for record in records_of(videos):
        if record.name != "class_1/3.mp4":
            with open_video(record.path) as video:
                at_once = flow_as_stored(video.frames(range(12)), settings)
            assert torch.equal(store.fields(record, range(11)), at_once)
    assert not list((store_folder / PARTIAL_FOLDER).iterdir())

    before = flow_files(store_folder)
    shutil.copy(videos / "class_0" / "2.mp4", videos / "class_1" / "3.mp4")
    shutil.copy(videos / "class_0" / "4.mp4", videos / "class_0" / "0.mp4")  # another video of the same name
    assert script.main(words) == 0  # the settings are those of the store
    assert "2 videos computed (22 fields), 4 kept, 0 failed" in capfd.readouterr().out
    assert not (store_folder / "failures.csv").exists()
    after = flow_files(store_folder)
    assert len(after) == 6
    assert {name for name in before if before[name] != after[name]} == {"class_0/0.mp4.flow"}

    damaged = store_folder / "class_0" / "2.mp4.flow"
    content = damaged.read_bytes()
    damaged.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    (store_folder / "class_0" / "4.mp4.flow").unlink()
    assert script.main([*words, "--verify"]) == 1
    out, err = capfd.readouterr()
    assert "4 videos verified (44 fields), 2 failed" in out
    assert "failed: class_0/2.mp4: the flow file" in err
    assert "another CRC" in err
    assert "failed: class_0/4.mp4: the flow store" in err
    assert not damaged.with_name("4.mp4.flow").exists()  # nothing was computed


def test_a_bound_that_cuts_is_said_by_the_computation_and_by_the_check(
    script: ModuleType, original_videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything slides by 1 px to the left: a bound of half a pixel cuts all of x and nothing of y."""
    words = [
        "--folder",
        str(original_videos),
        "--output",
        str(tmp_path / "flow"),
        "--num_workers",
        "1",
        "--bound",
        "0.5",
    ]
    for more in ([], [], ["--verify"]):
        assert script.main([*words, *more]) == 0
        line, videos = capsys.readouterr().out.splitlines()[-2:]
        assert 40 <= float(line.partition(" %")[0]) <= 60
        assert " of the flow values are beyond the bound of 0.5 px; a bound of " in line
        assert videos.startswith("videos of which it cuts more than 0.1 %: 6, most in class_")
    saturation = FlowStore(tmp_path / "flow").manifest.saturation
    assert saturation is not None
    assert saturation.num_values == 6 * 11 * 2 * 72 * 64 * 48 // 72


def test_after_a_kill_the_same_command_goes_on_and_keeps_what_is_finished(videos: Path, tmp_path: Path) -> None:
    for i in range(NUM_VIDEOS):  # enough work to be killed in
        with open_video(videos / f"class_{i % 2}" / f"{i}.mp4") as video:
            frames = video.frames(range(12))
        large = F.interpolate(frames.float(), scale_factor=6).to(torch.uint8).repeat(4, 1, 1, 1)
        write_video(videos / f"class_{i % 2}" / f"{i}.mp4", large)
    store_folder = tmp_path / "flow"
    command = [
        sys.executable,
        str(SCRIPT),
        "--folder",
        str(videos),
        "--output",
        str(store_folder),
        "--num_workers",
        "1",
    ]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + 120
        while not flow_files(store_folder) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        while not any((store_folder / PARTIAL_FOLDER).iterdir()) and process.poll() is None:
            time.sleep(0.002)  # the next one is being written
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL, (tmp_path / "log").read_text()

    wait_for_workers_to_end(store_folder)
    before = flow_files(store_folder)
    assert 0 < len(before) < NUM_VIDEOS
    store = FlowStore(store_folder)
    for record in records_of(videos):
        if f"{record.name}.flow" in before:
            assert store.fields(record, range(47)).any()  # complete

    again = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert again.returncode == 0, again.stderr
    assert (
        f"{NUM_VIDEOS - len(before)} videos computed ({47 * (NUM_VIDEOS - len(before))} fields), {len(before)} kept"
        in (again.stdout)
    )
    after = flow_files(store_folder)
    assert len(after) == NUM_VIDEOS
    assert {name: after[name] for name in before} == before
    assert not list((store_folder / PARTIAL_FOLDER).iterdir())
    assert FlowStore(store_folder).manifest.num_videos == NUM_VIDEOS


def wait_for_workers_to_end(store_folder: Path) -> None:
    """Workers notice by themselves that their parent is gone; until then they may finish a video."""
    partial = store_folder / PARTIAL_FOLDER
    owners = {int(p.name.split("-")[-2]) for p in partial.iterdir()}
    deadline = time.monotonic() + 30
    while any(map(process_is_running, owners)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(process_is_running, owners))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--folder", "{videos}", "--bound", "15"], r"bound 20 px, own size, but dis, bound 15 px"),
        (["--folder", "{videos}", "--bound", "15", "--verify"], r"bound 20 px, own size, but dis, bound 15 px"),
        ([], "either --data.dataset"),
        (["--folder", "{videos}", "--data.dataset", "VideoFolder", "--data.dataset.root", "{videos}"], "not both"),
        (["--folder", "{videos}/none"], "no such folder"),
        (["--folder", "{store}"], "no video below it"),
        (["--folder", "{videos}", "--num_workers", "0"], "--num_workers: '0' is not an integer of at least 1"),
        (["--folder", "{videos}", "--weights", "raft_large"], "no effect on method"),
        (["--config", "{videos}/none.yaml"], "no such file"),
        (["--config", "{videos}/clips.csv"], "expected keys with values"),
        (["--data.dataset", "VideoCsv", "--data.dataset.path", "{videos}/none.csv"], "no csv file"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(
    script: ModuleType,
    original_videos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    store_folder = tmp_path / "flow"
    store_folder.mkdir()
    manifest = {
        "format": "vidcls flow store",
        "format_version": 1,
        "settings": FlowSettings().to_dict(),
        "parameters": FlowSettings().parameters(),
        "weights_digest": None,
    }
    (store_folder / "manifest.json").write_text(json.dumps(manifest))
    filled = [word.format(videos=original_videos, store=store_folder) for word in words]
    assert script.main([*filled, "--output", str(store_folder)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("vidcls: error: ")
    assert message.replace("\\", "") in err
    assert not flow_files(store_folder)


def test_a_misspelt_option_is_one_line_and_status_2(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main(["--folder", "x", "--output", str(tmp_path / "flow"), "--metod", "dis"]) == 2
    assert capsys.readouterr().err == "vidcls: error: --metod: unknown option; did you mean --method?\n"


def test_a_configuration_of_fit_gives_data_set_and_flow_settings(
    script: ModuleType, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run.yaml").write_text(
        f"""
seed_everything: 1
model: {{class_path: TwoStream}}
data:
  batch_size: 4
  flow: none
  flow_settings: {{method: farneback, bound_px: 15}}
  dataset:
    class_path: VideoCsv
    init_args: {{path: {videos}/clips.csv}}
trainer: {{max_epochs: 3}}
"""
    )
    asked: list[tuple[list[str], FlowSettings, Pool]] = []

    def record_call(
        records: list[VideoRecord], root: Path, settings: FlowSettings, *, pool: Pool, device: str, shard: Shard
    ) -> object:
        assert (root, shard) == (tmp_path / "flow", WHOLE)
        asked.append(([r.name for r in records], settings, pool))
        return Report()

    monkeypatch.setattr("vidcls.cli.flow_run.precompute", record_call)
    words = ["--config", str(tmp_path / "run.yaml"), "--output", str(tmp_path / "flow"), "--num_workers", "3"]
    assert script.main(words) == 0
    assert script.main([*words, "--method", "dis"]) == 0
    names = [f"class_{i % 2}/{i}.mp4" for i in range(NUM_VIDEOS)]
    assert asked == [
        (names, FlowSettings("farneback", 15.0), local_pool(3)),
        (names, FlowSettings("dis", 15.0), local_pool(3)),
    ]


def test_a_disk_without_room_is_an_error_before_anything_is_computed(
    script: ModuleType,
    original_videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 100, 100))  # type: ignore[attr-defined]
    assert script.main(["--folder", str(original_videos), "--output", str(tmp_path / "flow")]) == 2
    assert "free: make room" in capsys.readouterr().err
    assert not flow_files(tmp_path / "flow")


def test_the_estimated_space_is_near_what_is_needed(original_videos: Path, tmp_path: Path) -> None:
    from vidcls.flow.precompute import store_video
    from vidcls.flow.store_writer import FlowStoreWriter

    records = records_of(original_videos)
    writer = FlowStoreWriter.open(tmp_path / "flow", FlowSettings())
    num_bytes = sum(store_video(writer, record).num_bytes for record in records)
    assert estimate_space(records, FlowSettings(), tmp_path).num_bytes == pytest.approx(num_bytes, rel=0.4)


def test_a_missing_package_is_said_before_any_video(
    script: ModuleType,
    original_videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import cv2

    monkeypatch.delattr(cv2, "optflow", raising=False)
    words: list[str] = ["--folder", str(original_videos), "--output", str(tmp_path / "flow"), "--method", "tvl1_opencv"]
    run: Callable[[list[str]], int] = script.main
    assert run(words) == 2
    assert "opencv-contrib-python" in capsys.readouterr().err
    assert not (tmp_path / "flow").exists()


def test_a_gpu_that_is_not_there_or_of_no_use_is_refused(
    script: ModuleType,
    original_videos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    words = ["--folder", str(original_videos), "--output", str(tmp_path / "flow"), "--device", "cuda"]
    assert script.main([*words, "--method", "dis"]) == 2
    assert "runs on the CPU alone" in capsys.readouterr().err
    assert script.main([*words, "--method", "tvl1"]) == 2
    assert "finds no CUDA GPU" in capsys.readouterr().err
    assert not (tmp_path / "flow").exists()
