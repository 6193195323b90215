"""Workers of a cluster write to an object store, and the ledger lies there in parts."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("ray")

from object_servers import BUCKET, S3Server
from ray_nodes import ray_nodes

from vidcls.datasets import VideoFolder
from vidcls.flow import FlowSettings
from vidcls.flow.precompute import precompute
from vidcls.jobs import InThisProcess, RayCluster, read_ledger
from vidcls.remote import place_of
from vidcls.remote.transfer import read_bytes
from vidcls.remote.whole_files import files_below


def test_flow_that_two_nodes_write_to_a_bucket_is_that_of_one_process(
    s3: S3Server, clip_dataset: VideoFolder, tmp_path: Path
) -> None:
    records, settings = clip_dataset.split("test"), FlowSettings(method="dis", short_side_px=32)
    precompute(records, tmp_path / "flow", settings, pool=InThisProcess())
    place = place_of(f"s3://{BUCKET}/ray-flow")
    with ray_nodes(1) as nodes:  # started here, with the keys of the server in their environment
        report = precompute(records, place, settings, pool=RayCluster(nodes.address))
    assert (report.num_done, report.failures) == (len(records), [])
    assert {name: read_bytes(place / name) for name in files_below(place, ".flow")} == {
        f"{record.name}.flow": (tmp_path / "flow" / f"{record.name}.flow").read_bytes() for record in records
    }
    ledger = read_ledger(place)
    assert sorted(row.video for row in ledger) == sorted(record.name for record in records)
    assert {row.outcome for row in ledger} == {"done"}
