"""Shards make one copy and one flow store: in any order, or at once, the result is that of one command."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path

import pytest

from vidcls.copies.preparation import prepare
from vidcls.copies.prepared_folder import PrepareSettings
from vidcls.datasets import VideoFolder
from vidcls.flow.precompute import precompute
from vidcls.flow.settings import FlowSettings
from vidcls.jobs import InThisProcess, Outcome
from vidcls.shard import WHOLE, Shard
from vidcls.types import VideoRecord

SMALL = PrepareSettings(short_side_px=16, quality=2)
SHARDS = [Shard(number, 3) for number in (1, 2, 3)]


class Counting:
    """A pool that counts, works in this process, and may be interrupted like one with Ctrl+C."""

    def __init__(self, *, most: int | None = None) -> None:
        self.num_started = 0
        self.most = most

    def each(self, job, records, *, seconds_each=None, output=None) -> Iterator[Outcome]:  # type: ignore[no-untyped-def]
        for record in records:
            if self.num_started == self.most:
                raise KeyboardInterrupt
            self.num_started += 1
            yield from InThisProcess().each(job, [record])


@pytest.fixture(scope="module")
def records(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[VideoRecord]:
    """Seven videos, of which two in different shards cannot be read."""
    root = Path(shutil.copytree(clip_folder, tmp_path_factory.mktemp("source") / "clips"))
    records = VideoFolder(root).records[:7]
    for bad in (records[1], records[3]):
        bad.path.write_bytes(b"no video")
    return records


def copy(records: Sequence[VideoRecord], root: Path, shard: Shard = WHOLE) -> None:
    prepare(records, root, SMALL, pool=InThisProcess(), shard=shard)


def flow(records: Sequence[VideoRecord], root: Path, shard: Shard = WHOLE) -> None:
    quiet = {"pool": InThisProcess(), "tell": lambda _: None}
    precompute(shard.of(records), root, FlowSettings(short_side_px=16), shard=shard, **quiet)  # type: ignore[arg-type]


def content_of(root: Path) -> dict[str, object]:
    """Every file with its bytes; the journal, whose lines come in the order in which the work is done, as a set."""
    paths = [path for path in root.rglob("*") if path.is_file() and ".shards" not in path.parts]
    return {
        path.relative_to(root).as_posix(): sorted(path.read_bytes().splitlines())
        if path.name == "prepared.csv"
        else path.read_bytes()
        for path in paths
    }


@pytest.mark.parametrize("work", [copy, flow])
def test_shards_in_any_order_or_at_once_leave_what_one_command_leaves(work, records, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    work(records, tmp_path / "one")
    expected = content_of(tmp_path / "one")
    assert "failures.csv" in expected
    for order in [*permutations(SHARDS)][::2]:
        root = tmp_path / f"order {order[0].number}"
        for shard in order:
            work(records, root, shard)
        assert content_of(root) == expected
    with ThreadPoolExecutor(3) as threads:
        for done in [threads.submit(work, records, tmp_path / "at once", shard) for shard in SHARDS]:
            done.result()
    assert content_of(tmp_path / "at once") == expected
    work(records, tmp_path / "at once")
    assert content_of(tmp_path / "at once") == expected


def test_the_second_time_a_shard_makes_nothing_but_what_failed(records: list[VideoRecord], tmp_path: Path) -> None:
    for expected in (3, 0):  # numbers 0, 3 and 6, of which 3 cannot be read
        pool = Counting()
        prepare(records, tmp_path / "copy", SMALL, pool=pool, shard=SHARDS[0])
        assert pool.num_started == expected + (expected == 0)


def test_what_a_shard_did_before_it_was_stopped_counts_for_all(records: list[VideoRecord], tmp_path: Path) -> None:
    root = tmp_path / "copy"
    with pytest.raises(KeyboardInterrupt):
        prepare(records, root, SMALL, pool=Counting(most=1), shard=SHARDS[0])
    assert not (root / "clips.csv").exists()
    assert prepare(records, root, SMALL, pool=InThisProcess(), shard=SHARDS[1]).num_kept == 0
    assert "left/0.avi" in (root / "clips.csv").read_text()
    assert prepare(records, root, SMALL, pool=InThisProcess(), shard=SHARDS[0]).num_kept == 1


def test_a_video_that_another_shard_repaired_is_no_failure_any_more(
    records: list[VideoRecord], tmp_path: Path, clip_folder: Path
) -> None:
    source = Path(shutil.copytree(records[0].path.parents[2], tmp_path / "source"))
    mine = VideoFolder(source).records[:7]
    for shard in SHARDS:
        copy(mine, tmp_path / "copy", shard)
    shutil.copy(clip_folder / mine[1].name, mine[1].path)
    copy(mine, tmp_path / "copy", SHARDS[1])
    listed = (tmp_path / "copy" / "failures.csv").read_text()
    assert mine[1].name not in listed
    assert mine[3].name in listed
    assert mine[1].name in (tmp_path / "copy" / "clips.csv").read_text()
    mine[1].path.write_bytes(b"no video again")
    copy(mine, tmp_path / "copy", SHARDS[1])
    copy(mine, tmp_path / "copy", SHARDS[0])
    assert mine[1].name not in (tmp_path / "copy" / "clips.csv").read_text()


def test_more_shards_than_videos_leave_some_with_nothing(records: list[VideoRecord], tmp_path: Path) -> None:
    for work in (copy, flow):
        for number in range(1, 10):
            work(records, tmp_path / work.__name__, Shard(number, 9))
        work(records, tmp_path / f"{work.__name__} of one")
        assert content_of(tmp_path / work.__name__) == content_of(tmp_path / f"{work.__name__} of one")
