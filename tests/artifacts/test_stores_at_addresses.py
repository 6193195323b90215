"""Flow stores, training copies and features at an address: the same files as on a disk, whatever the network does."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from object_servers import BUCKET, Fault, S3Server
from small_features import computed

from vidcls.copies.journal import JOURNAL, PARTS
from vidcls.copies.preparation import prepare
from vidcls.copies.prepared_folder import PrepareSettings
from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError, FlowError, RemoteError
from vidcls.flow import FlowSettings, FlowStore, open_flow_store
from vidcls.flow.precompute import precompute, verify
from vidcls.jobs import InThisProcess, LocalProcesses
from vidcls.remote import place_of
from vidcls.remote.whole_files import files_below
from vidcls.shard import Shard
from vidcls.types import VideoRecord

FLOW = FlowSettings(method="dis", short_side_px=32)
SMALL = PrepareSettings(short_side_px=16, quality=2)


@pytest.fixture
def records(clip_dataset: VideoFolder) -> list[VideoRecord]:
    return clip_dataset.split("test")


def disturbed(s3: S3Server) -> None:
    """Every kind of fault that passes, while objects are sent, asked for and read."""
    s3.proxy.faults = [
        Fault(status=503, times=2, method="PUT"),
        Fault(status=500, times=2, method="HEAD"),
        Fault(cut_after=100, times=1),
        Fault(shorten_to=100, times=1),
        Fault(status=503, times=1),
    ]


def on_disk(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_flow_at_an_address_is_that_on_a_disk_and_a_second_start_computes_nothing(
    s3: S3Server, records: list[VideoRecord], tmp_path: Path
) -> None:
    precompute(records, tmp_path / "flow", FLOW, pool=InThisProcess())
    place = place_of(f"s3://{BUCKET}/flow-store")
    disturbed(s3)
    report = precompute(records, place, FLOW, pool=LocalProcesses(2))
    assert all(fault.times == 0 for fault in s3.proxy.faults)
    assert (report.num_done, report.failures) == (len(records), [])
    assert s3.objects("flow-store") == on_disk(tmp_path / "flow")

    disturbed(s3)
    again = precompute(records, place, FLOW, pool=InThisProcess())
    assert (again.num_done, again.num_kept) == (0, len(records))
    s3.proxy.reset()
    assert verify(records, place, pool=InThisProcess()).failures == []
    store, local = open_flow_store(f"s3://{BUCKET}/flow-store"), FlowStore(tmp_path / "flow")
    for record in records:
        indices = range(store.num_fields(record))
        assert torch.equal(store.fields(record, indices), local.fields(record, indices))


def test_a_flow_file_that_cannot_be_sent_is_a_failure_of_that_video_and_leaves_nothing(
    s3: S3Server, records: list[VideoRecord]
) -> None:
    place = place_of(f"s3://{BUCKET}/flow-unsent")
    precompute(records[:1], place, FLOW, pool=InThisProcess())
    s3.proxy.faults = [Fault(status=403, times=1, method="PUT")]
    report = precompute(records[:2], place, FLOW, pool=InThisProcess())
    assert len(report.failures) == 1
    assert report.failures[0][0] == records[1].name
    assert "access is denied" in report.failures[0][1]
    assert set(files_below(place, ".flow")) == {f"{records[0].name}.flow"}
    s3.proxy.reset()
    assert precompute(records[:2], place, FLOW, pool=InThisProcess()).num_done == 1
    assert "failures.csv" not in files_below(place)


def test_a_folder_of_something_else_and_shards_are_refused_and_a_lock_is_not_promised(
    s3: S3Server, records: list[VideoRecord], caplog: pytest.LogCaptureFixture
) -> None:
    s3.put("something/else.txt", b"text")
    with pytest.raises(FlowError, match="s3://videos/something is not empty and no flow store"):
        precompute(records, place_of(f"s3://{BUCKET}/something"), FLOW, pool=InThisProcess())
    with pytest.raises(ConfigurationError, match=r"no locks.*remove --shard"):
        precompute(records, place_of(f"s3://{BUCKET}/shards"), FLOW, pool=InThisProcess(), shard=Shard(1, 2))
    with caplog.at_level(logging.WARNING), pytest.raises(RemoteError, match="nosuchbucket"):
        precompute(records, place_of("s3://nosuchbucket/flow"), FLOW, pool=InThisProcess())
    assert "no locks" in caplog.text


def test_a_training_copy_at_an_address_is_that_on_a_disk(
    s3: S3Server, records: list[VideoRecord], tmp_path: Path
) -> None:
    prepare(records, tmp_path / "small", SMALL, pool=InThisProcess())
    place = place_of(f"s3://{BUCKET}/small")
    disturbed(s3)
    done = prepare(records, place, SMALL, pool=InThisProcess())
    assert (len(done.videos), done.num_kept, done.failures) == (len(records), 0, [])
    sent, expected = s3.objects("small"), on_disk(tmp_path / "small")
    journals = [set(files.pop(JOURNAL).splitlines()) for files in (sent, expected)]  # in the order of their ends
    assert journals[0] == journals[1]
    assert sent == expected
    again = prepare(records, place, SMALL, pool=InThisProcess())
    assert (again.num_kept, again.videos) == (len(records), done.videos)
    assert s3.objects("small") == {**sent, JOURNAL: s3.objects("small")[JOURNAL]}
    s3.client().delete_object(Bucket=BUCKET, Key=f"small/videos/{records[0].name}.jpeg.avi")
    assert prepare(records, place, SMALL, pool=InThisProcess()).num_kept == len(records) - 1


def test_what_was_noted_before_a_kill_is_kept_of_a_copy_at_an_address(
    s3: S3Server, records: list[VideoRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidcls.remote.row_parts.SECONDS_BETWEEN_PARTS", 0.0)
    place = place_of(f"s3://{BUCKET}/killed")

    class Killed(InThisProcess):
        def each(self, job, records, *, seconds_each=None, output=None):  # type: ignore[no-untyped-def]
            for number, outcome in enumerate(super().each(job, records)):
                if number == 2:
                    raise SystemExit
                yield outcome

    monkeypatch.setattr("vidcls.copies.journal.Journal.__exit__", lambda *_: None)  # as where nothing runs any more
    with pytest.raises(SystemExit):
        prepare(records, place, SMALL, pool=Killed())
    assert len(files_below(place / PARTS)) == 2
    monkeypatch.undo()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in s3.environment.items():
            environment.setenv(name, value)
        assert prepare(records, place, SMALL, pool=InThisProcess()).num_kept == 2


def test_features_at_an_address_are_those_on_a_disk(s3: S3Server, records: list[VideoRecord], tmp_path: Path) -> None:
    local, _ = computed(records, tmp_path / "features")
    disturbed(s3)
    store, report = computed(records, place_of(f"s3://{BUCKET}/features"))
    assert (report.num_done, report.failures) == (len(records), [])
    sent = s3.objects("features")
    assert {name: found for name, found in sent.items() if name.endswith(".safetensors")} == {
        name: found for name, found in on_disk(tmp_path / "features").items() if name.endswith(".safetensors")
    }
    for record in records:
        ours, theirs = store.read(record, check_values=True), local.read(record)
        assert all(torch.equal(ours[level], theirs[level]) for level in theirs)
    assert computed(records, place_of(f"s3://{BUCKET}/features"))[1].num_kept == len(records)
