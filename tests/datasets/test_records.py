"""A table of records is the list of them, in a fraction of its memory, which processes share."""

from __future__ import annotations

import errno
import gc
import multiprocessing
import pickle
import random
import sys
from collections import Counter
from collections.abc import Sequence
from multiprocessing import context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from vidcls.datasets import VideoDataset
from vidcls.datasets.base import checked_records
from vidcls.datasets.entries import Entry
from vidcls.datasets.groups import KnownGroups
from vidcls.datasets.record_facts import (
    at_places,
    class_counts,
    class_pairs,
    folders_of,
    in_split,
    known_groups,
    split_counts,
    together,
)
from vidcls.datasets.records import RecordTable
from vidcls.loading.samplers import balanced_chances
from vidcls.types import SPLITS, Split, VideoRecord
from vidcls.video import LocalFile
from vidcls.video.source import BytesInMemory


def records_of(number: int, seed: int = 0) -> list[VideoRecord]:
    """Of every kind: in and outside of the folder, with and without group, further columns, several classes or none."""
    draw = random.Random(seed)
    found = []
    for k in range(number):
        name = f"{draw.choice('abc')}/{k} \udcff.mp4" if k % 9 == 0 else f"{draw.choice('abc')}/{k} ü.mp4"
        several = tuple(draw.sample("wxyz", draw.randrange(3))) if k % 4 == 0 else None
        found.append(
            VideoRecord(
                LocalFile(Path("/else where", str(k)) if k % 7 == 3 else Path("/data", name)),
                draw.choice("wxyz"),
                draw.choice(SPLITS),
                name,
                draw.choice([None, "", "g1", "g2", f"g{k}"]),
                {} if k % 3 else {"fps": str(k), "scene": ""},
                several,
            )
        )
    return found


@pytest.mark.parametrize("number", [0, 1, 200])
def test_a_table_has_the_records_that_it_was_made_of(number: int) -> None:
    records = records_of(number)
    table = RecordTable.of(records)
    assert table == records
    assert list(table) == records
    assert [table[k] for k in range(-number, number)] == records * 2
    assert list(table[3:150:7]) == records[3:150:7]
    assert list(table[::-1]) == records[::-1]
    assert list(table[5:100][::2].split("val")) == [record for record in records[5:100:2] if record.split == "val"]
    assert pickle.loads(pickle.dumps(table)) == records
    with pytest.raises(IndexError):
        table[number]


def test_rows_of_many_batches_are_found_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROWS_AT_ONCE", "RECORDS_AT_ONCE"):
        monkeypatch.setattr(f"vidcls.datasets.video_columns.{name}", 16)
    records = records_of(300)
    table = RecordTable.of(records)
    numbers = np.random.default_rng(0).integers(0, 300, 100)
    assert list(RecordTable(table.columns, table.splits, numbers)) == [records[k] for k in numbers]
    assert [table[int(k)] for k in numbers] == [records[k] for k in numbers]


def test_what_is_counted_by_column_is_what_a_loop_counts() -> None:
    records = records_of(300)
    table = RecordTable.of(records)
    for some, listed in ((table, records), (table[20:250], records[20:250]), (table.split("val"), None)):
        plain = list(some)
        assert listed is None or plain == listed
        assert class_counts(some) == class_counts(plain) == Counter(name for r in plain for name in r.classes)
        assert split_counts(some) == split_counts(plain) == Counter(record.split for record in plain)
        assert known_groups(some) == known_groups(plain) == KnownGroups.of(record.group for record in plain)
        assert balanced_chances(some).tolist() == balanced_chances(plain).tolist()
        assert len(class_pairs(some)[0]) == len(class_pairs(plain)[0])
        assert folders_of(some) == {str(record.path.parent) for record in plain}
        sought = {str(record.path) for record in plain[3:30:5]}
        assert list(at_places(some, sought)) == [record for record in plain if str(record.path) in sought]
        joined = together([in_split(some, "test"), in_split(some, "train")])
        assert list(joined) == [*in_split(plain, "test"), *in_split(plain, "train")]


class Own(VideoDataset):
    """A data set as users write them."""

    def __init__(self, records: list[VideoRecord]) -> None:
        super().__init__(Path("/data"), records)


def test_a_data_set_of_ones_own_may_pass_a_list_with_sources_of_any_kind() -> None:
    records = records_of(20)
    assert isinstance(Own(records).records, RecordTable)
    assert Own(records).records == records
    elsewhere = [*records, VideoRecord(BytesInMemory(b"x", "in memory"), "w", "train", "in memory")]
    assert Own(elsewhere).records == elsewhere
    assert Own(elsewhere).split("train")[-1].source == BytesInMemory(b"x", "in memory")


def large_table(number: int) -> RecordTable:
    splits: list[Split] = ["train", "train", "val", "test"]
    entries = (
        Entry(f"/data/{k % 50}/{k:08}.mp4", f"c{k % 50}", f"{k % 50}/{k:08}.mp4", splits[k % 4], f"g{k % 4}-{k // 40}")
        for k in range(number)
    )
    records = checked_records(entries, source="x", val_fraction=0.1, files_exist=True)
    assert isinstance(records, RecordTable)
    return records


def private_bytes() -> int:
    """Of this process alone."""
    with Path("/proc/self/smaps_rollup").open(encoding="ascii") as file:
        return 1024 * sum(int(line.split()[1]) for line in file if line.startswith("Private_Dirty"))


def look_at_all(records: Sequence[VideoRecord], sender: Connection) -> None:
    order = np.random.default_rng(0).permutation(len(records))
    gc.disable()  # it writes to all objects that are there
    list(records[:5000])
    before = private_bytes()
    num_characters = sum(len(records[int(at)].name) for at in order)
    num_characters += sum(len(record.name) for record in records)
    sender.send((num_characters, private_bytes() - before))


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_worker_that_looks_at_all_records_copies_none() -> None:
    records = large_table(150_000)
    receiver, sender = multiprocessing.Pipe(duplex=False)
    worker = multiprocessing.get_context("fork").Process(target=look_at_all, args=(records, sender))
    worker.start()
    num_characters, num_bytes = receiver.recv()
    worker.join()
    assert num_characters == 2 * sum(len(record.name) for record in records)
    assert (
        num_bytes < 25e6
    )  # 65e6 of a list of objects; here Python's table of the parts of paths, whatever their number


def test_to_a_new_process_goes_a_file_that_it_maps_and_that_is_removed_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("vidcls.datasets.handed_over.LEAST_BYTES", 100)
    records = large_table(5000).split("train")
    whole = pickle.dumps(records)
    context.set_spawning_popen(object())  # as while a process is started by spawn or forkserver
    try:
        paths = [pickle.dumps(records) for _ in range(2)]
    finally:
        context.set_spawning_popen(None)
    assert len(paths[0]) < 3000 < len(whole)
    assert len(list(tmp_path.glob("vidcls-index-*"))) == 3  # columns, splits and rows, written once
    assert pickle.loads(paths[1]) == records == pickle.loads(whole)
    del records
    gc.collect()
    assert not list(tmp_path.glob("vidcls-index-*"))


def test_where_there_is_no_room_for_a_file_all_goes_through_the_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("vidcls.datasets.handed_over.LEAST_BYTES", 100)
    monkeypatch.setattr("numpy.save", full)
    monkeypatch.setattr("pyarrow.OSFile", full)
    records = large_table(5000).split("train")
    context.set_spawning_popen(object())
    try:
        whole = pickle.dumps(records)
    finally:
        context.set_spawning_popen(None)
    assert pickle.loads(whole) == records
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_a_process_that_is_started_otherwise_than_by_fork_sees_the_same_records(start: str) -> None:
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {start} here")
    records = large_table(150_000).split("train")
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context(start).Process(target=send_last_name, args=(records, sender))
    process.start()
    assert receiver.recv() == last_name(records)
    process.join()


def last_name(records: Sequence[VideoRecord]) -> tuple[str, int]:
    return records[-1].name, len(records)


def send_last_name(records: Sequence[VideoRecord], sender: Connection) -> None:
    sender.send(last_name(records))
