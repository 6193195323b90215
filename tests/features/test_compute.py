"""Features are those of the network on the test views, computed once, equal on any number of processes."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from small_features import LEVELS, SETTINGS, computed, files_of, key_of, other_weights, small_encoder

from vidcls.artifacts.failures import read_failures
from vidcls.clips.reader import ClipReader
from vidcls.clips.views import stack_views, views_of
from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError, DatasetError, FeatureError
from vidcls.features import FeatureStore, compute_features, verify
from vidcls.flow import FlowSettings
from vidcls.inference import NetworkInput
from vidcls.jobs import InThisProcess, LocalProcesses
from vidcls.layers import build_backbone
from vidcls.layers.token_encoder import TokenEncoder
from vidcls.types import ClipSettings, VideoRecord, as_streams
from vidcls.video import LocalFile


@pytest.fixture
def records(clip_dataset: VideoFolder, tmp_path: Path) -> list[VideoRecord]:
    """Seven videos of their own, which a test may change."""
    found = []
    for record in clip_dataset.split("test"):
        place = tmp_path / "videos" / record.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(record.path, place)
        found.append(replace(record, source=LocalFile(place)))
    return found


def not_to_be_built() -> TokenEncoder:
    raise AssertionError("a network was built")


def flow_encoder(clip: ClipSettings) -> TokenEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = build_backbone("small", 2 * clip.flow_len)
    return TokenEncoder(backbone, LEVELS, (2, 3), clip.num_snippets).eval()


class NotToBeStarted:
    def each(self, *_: object, **__: object) -> Iterator[None]:
        raise AssertionError("a process was started")


def of_another_size() -> TokenEncoder:
    raise ConfigurationError("this network takes 224x224: set transform.crop_px to 224")


def test_features_are_those_of_the_network_on_the_views_of_a_test(tmp_path: Path, records: list[VideoRecord]) -> None:
    store, report = computed(records, tmp_path / "features")
    assert (report.num_done, report.num_kept, report.failures) == (len(records), 0, [])
    assert report.num_bytes == sum(map(len, files_of(store).values()))
    encoder, feed = small_encoder().eval(), NetworkInput(SETTINGS)
    for record in records:
        views = stack_views(views_of(ClipReader(SETTINGS).test_clips(record), SETTINGS))
        with torch.no_grad():
            expected = encoder(feed(views)["rgb"])
        for level, tokens in store.read(record).items():
            torch.testing.assert_close(tokens.float(), expected[level], rtol=2e-3, atol=2e-3)
    tokens = store.read(records[0])["block4"]
    assert not torch.equal(tokens[0], tokens[1])  # mirrored
    some_at_once = FeatureStore(tmp_path / "some", store.key)
    arguments = {"pool": InThisProcess(), "batch_frames": 3, "tell": lambda _line: None}
    compute_features(records, some_at_once, small_encoder, SETTINGS, **arguments)
    torch.testing.assert_close(some_at_once.read(records[0])["block4"], tokens, rtol=2e-3, atol=2e-3)


def test_flow_has_features_of_its_own_from_a_network_on_the_fields_of_a_snippet(
    tmp_path: Path, records: list[VideoRecord]
) -> None:
    settings = replace(
        SETTINGS,
        streams=as_streams(["flow"]),
        clip=ClipSettings(num_snippets=2, clip_len=1, flow_len=3),
        flow_settings=FlowSettings(method="farneback", short_side_px=24),
    )
    make = partial(flow_encoder, settings.clip)
    store, report = computed(records[:2], tmp_path / "features", make, settings)
    assert report.failures == []
    assert store.key.shapes == {"block4": (2, 7, 64), "read_out": (2, 1, 64)}
    views = stack_views(views_of(ClipReader(settings).test_clips(records[0]), settings))
    with torch.no_grad():
        expected = make()(NetworkInput(settings)(views)["flow"])
    torch.testing.assert_close(store.read(records[0])["block4"].float(), expected["block4"], rtol=2e-3, atol=2e-3)
    other = key_of(make, replace(settings, flow_settings=FlowSettings(method="farneback", short_side_px=32)))
    assert other.digest != store.digest


@pytest.mark.parametrize("num_workers", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_any_number_of_processes_and_threads_gives_the_same_bytes(
    tmp_path: Path, records: list[VideoRecord], num_workers: int
) -> None:
    torch.set_num_threads(2)
    try:
        here, _ = computed(records, tmp_path / "here")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    there, report = computed(records, tmp_path / "there", pool=LocalProcesses(num_workers))
    assert report.num_done == len(records)
    assert files_of(here) == files_of(there)
    assert len(files_of(here)) == len(records)


def test_what_is_there_is_not_computed_again_and_then_nothing_is_built_or_started(
    tmp_path: Path, records: list[VideoRecord]
) -> None:
    store, _ = computed(records[:3], tmp_path / "features")
    before = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*.safetensors")}
    _, report = computed(records, tmp_path / "features")
    assert (report.num_done, report.num_kept) == (len(records) - 3, 3)
    assert before.items() <= {p: p.stat().st_mtime_ns for p in store.folder.rglob("*.safetensors")}.items()
    again = compute_features(records, store, not_to_be_built, SETTINGS, pool=NotToBeStarted())
    assert (again.num_done, again.num_kept) == (0, len(records))


def test_a_corrupt_video_is_named_with_the_reason_and_the_others_go_on(
    tmp_path: Path, records: list[VideoRecord]
) -> None:
    whole = records[2].path.read_bytes()
    records[2].path.write_bytes(b"no video at all")
    store, report = computed(records, tmp_path / "features")
    assert report.num_done == len(records) - 1
    assert [name for name, _ in report.failures] == [records[2].name]
    assert read_failures(store.folder) == report.failures
    computed(records[:2], tmp_path / "features")  # a command on other videos
    assert read_failures(store.folder) == report.failures
    records[2].path.write_bytes(whole)
    _, report = computed(records, tmp_path / "features")
    assert (report.num_done, report.failures) == (1, [])
    assert not (store.folder / "failures.csv").exists()


def test_what_ails_the_network_ends_the_work_in_one_line(tmp_path: Path, records: list[VideoRecord]) -> None:
    store = FeatureStore(tmp_path / "features", key_of())
    arguments = {"pool": InThisProcess(), "tell": lambda _line: None}
    with pytest.raises(FeatureError) as refused:
        compute_features(records, store, other_weights, SETTINGS, **arguments)
    assert store.key.weights[:16] in str(refused.value)
    assert key_of(other_weights).weights[:16] in str(refused.value)
    with pytest.raises(ConfigurationError, match="this network takes 224x224"):
        compute_features(records, store, of_another_size, SETTINGS, **arguments)
    assert not files_of(store)
    with pytest.raises(ValueError, match="the store keeps features of the inputs"):
        compute_features(records, store, small_encoder, replace(SETTINGS, test_clips=2), **arguments)


def test_values_beyond_half_precision_are_a_failure_that_counts_them(
    tmp_path: Path, records: list[VideoRecord]
) -> None:
    store, report = computed(records[:2], tmp_path / "features", partial(small_encoder, scale=1e7))
    assert not files_of(store)
    assert all("values of level" in reason and "float16" in reason for _, reason in report.failures)


def test_the_disk_is_looked_at_before_anything_is_computed(
    tmp_path: Path, records: list[VideoRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    store = FeatureStore(tmp_path / "features", key_of())
    num_bytes = store.key.num_bytes * len(records)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 0, num_bytes // 2))
    lines: list[str] = []
    with pytest.raises(FeatureError, match=r"the features need .* free: make room"):
        compute_features(records, store, not_to_be_built, SETTINGS, pool=NotToBeStarted(), tell=lines.append)
    assert lines[0].startswith(f"features of {len(records)} of {len(records)} videos to compute: 0.0 MB")
    assert not store.folder.exists()


def test_how_long_it_takes_is_told_after_some_videos(tmp_path: Path, clip_dataset: VideoFolder) -> None:
    store, lines = FeatureStore(tmp_path / "features", key_of()), list[str]()
    records = clip_dataset.split("train")
    compute_features(records, store, small_encoder, SETTINGS, pool=InThisProcess(), tell=lines.append)
    assert len(lines) == 2
    assert "videos/s, about" in lines[1]


def test_a_full_disk_is_one_line_and_what_is_finished_stays(
    tmp_path: Path, records: list[VideoRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, _ = computed(records, tmp_path / "undisturbed")
    fsync, num_files = os.fsync, 0

    def fills_up(file: int) -> None:
        nonlocal num_files
        num_files += ".partial" in str(Path(f"/proc/self/fd/{file}").readlink())
        if num_files > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(file)

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fills_up)
        with pytest.raises(DatasetError, match=r"features/.*\.safetensors: the disk is full: what is finished is kept"):
            computed(records, tmp_path / "features")
    store = FeatureStore(tmp_path / "features", undisturbed.key)
    assert len(files_of(store)) == 3
    assert not list((store.folder / ".partial").iterdir())
    _, report = computed(records, tmp_path / "features")
    assert (report.num_done, report.num_kept) == (len(records) - 3, 3)
    assert files_of(store) == files_of(undisturbed)


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {shared!r})
from small_features import computed
from vidcls.datasets import VideoFolder
fsync, num_files = os.fsync, 0
def killed(file):
    global num_files
    num_files += ".partial" in os.readlink(f"/proc/self/fd/{{file}}")
    if num_files > 3:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(file)
os.fsync = killed
computed(VideoFolder(Path({videos!r})).split("test"), Path({root!r}))
"""


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to kill in the middle of a file")
def test_after_a_kill_in_the_middle_of_a_file_only_the_rest_is_computed(
    tmp_path: Path, clip_folder: Path, clip_dataset: VideoFolder
) -> None:
    records = clip_dataset.split("test")
    undisturbed, _ = computed(records, tmp_path / "undisturbed")
    shared = str(Path(__file__).parents[1] / "shared")
    script = KILLED.format(shared=shared, videos=str(clip_folder), root=str(tmp_path / "features"))
    child = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120, check=False)
    assert child.returncode == -signal.SIGKILL, child.stderr
    store = FeatureStore(tmp_path / "features", undisturbed.key)
    assert len(files_of(store)) == 3
    assert len(list((store.folder / ".partial").iterdir())) == 1
    _, report = computed(records, tmp_path / "features")
    assert (report.num_done, report.num_kept) == (len(records) - 3, 3)
    assert not list((store.folder / ".partial").iterdir())
    assert files_of(store) == files_of(undisturbed)


IN_PROCESSES = """
import sys
from pathlib import Path
sys.path.insert(0, {shared!r})
from small_features import computed, slow_encoder
from vidcls.datasets import VideoFolder
from vidcls.jobs import LocalProcesses
if __name__ == "__main__":
    computed(VideoFolder(Path({videos!r})).split("test"), Path({root!r}), slow_encoder, pool=LocalProcesses(2))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="needs /proc to see processes")
def test_a_kill_of_a_command_with_worker_processes_leaves_complete_files_and_no_process(
    tmp_path: Path, clip_folder: Path, clip_dataset: VideoFolder
) -> None:
    records = clip_dataset.split("test")
    undisturbed, _ = computed(records, tmp_path / "undisturbed")
    shared = str(Path(__file__).parents[1] / "shared")
    program = tmp_path / "program.py"
    program.write_text(IN_PROCESSES.format(shared=shared, videos=str(clip_folder), root=str(tmp_path / "features")))
    store = FeatureStore(tmp_path / "features", undisturbed.key)
    child = subprocess.Popen([sys.executable, str(program)], stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(files_of(store)) < 2 and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    while time.monotonic() < deadline and _session_runs(child.pid):
        time.sleep(0.1)
    assert not _session_runs(child.pid)
    there = files_of(store)
    assert 2 <= len(there) < len(records)
    _, report = computed(records, tmp_path / "features")
    assert (report.num_done, report.num_kept) == (len(records) - len(there), len(there))
    assert files_of(store) == files_of(undisturbed)


def _session_runs(session: int) -> bool:
    """Whether a process of that session still works."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, *rest = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(rest[2]) == session and state != "Z":
            return True
    return False


def test_verification_finds_damaged_values_and_values_that_are_computed_otherwise(
    tmp_path: Path, records: list[VideoRecord]
) -> None:
    store, _ = computed(records, tmp_path / "features")
    arguments = {"pool": InThisProcess(), "tell": lambda _line: None}
    report = verify(records, store, small_encoder, SETTINGS, **arguments)
    assert (report.num_done, report.failures) == (len(records), [])
    damaged = bytearray(store.path_of(records[1]).read_bytes())
    damaged[-1] ^= 1
    store.path_of(records[1]).write_bytes(damaged)
    store.path_of(records[2]).unlink()
    changed = {level: tokens.float() for level, tokens in store.read(records[-1]).items()}
    changed["block4"][0, 0, 0, 0] += 1
    store.write(records[-1], changed)
    report = verify(records, store, small_encoder, SETTINGS, **arguments)
    words = dict(report.failures)
    assert set(words) == {records[1].name, records[2].name, records[-1].name}
    assert "is damaged" in words[records[1].name]
    assert "no features" in words[records[2].name]
    assert "level block4 differs" in words[records[-1].name]
