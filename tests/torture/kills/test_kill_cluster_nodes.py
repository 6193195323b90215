"""Nodes of a Ray cluster are killed and added while it works on videos: everything is done once, as by one process."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray")

import torch
from factories import saved_run, video_data
from ray_nodes import RayNodes, ray_nodes, slowly
from small_features import computed, files_of

from vidcls.copies.preparation import prepare
from vidcls.copies.prepared_folder import PrepareSettings
from vidcls.datasets import VideoFolder
from vidcls.errors import DatasetError
from vidcls.flow.precompute import precompute
from vidcls.flow.settings import FlowSettings
from vidcls.jobs import InThisProcess, Outcome, Pool, RayCluster, read_ledger
from vidcls.jobs.ray_cluster import Patience
from vidcls.predict.video_job import PredictJob, predicted_in_order
from vidcls.types import VideoRecord
from vidcls.video import write_video

FULL = os.environ.get("VIDCLS_TORTURE") == "full"
FULL_NUM_CLIPS, NUM_CLIPS = 200, 6
EVERY = FULL_NUM_CLIPS // 12 if FULL else 2  # videos between two events
MOST = 10 if FULL else 2  # a node is killed, and one is added
Work = Callable[[list[VideoRecord], Path, Pool], tuple[int, dict[str, object]]]


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    """A head that does no work, and two nodes with room for one worker each."""
    with ray_nodes(2, head_cpus=0) as found:
        yield found


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[VideoRecord]:
    root = tmp_path_factory.mktemp("many")
    texture = torch.randint(0, 255, (3, 40, 48), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    for i in range(FULL_NUM_CLIPS if FULL else NUM_CLIPS):
        frames = torch.stack([texture.roll(i + 2 * t, dims=-1) for t in range(6)])
        write_video(root / ("left", "right")[i % 2] / f"{i:03d}.avi", frames, codec="mjpeg")
    return VideoFolder(root).records


@pytest.fixture(scope="module")
def run(records: list[VideoRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    root = records[0].path.parent.parent
    return saved_run(folder, video_data(VideoFolder(root)))


class Breaking:
    """A pool whose cluster loses a node after some videos, and gets one some videos later.

    Args:
        pool: does the work.
        nodes: of its cluster.
        every: videos between two such events.
        most: events in all.
    """

    def __init__(self, pool: Pool, nodes: RayNodes, *, every: int, most: int) -> None:
        self._pool, self._nodes, self._every, self._most = pool, nodes, every, most
        self.num_killed = 0

    def each(self, job: Any, records: Any, **options: Any) -> Iterator[Outcome[Any]]:
        num_events = 0
        for number, outcome in enumerate(self._pool.each(job, records, **options), start=1):
            if number % self._every == 0 and num_events < self._most:
                num_events += 1
                if num_events % 2:
                    self._nodes.kill()
                    self.num_killed += 1
                else:
                    self._nodes.add()
            yield outcome


def files_below(root: Path) -> dict[str, object]:
    found: dict[str, Any] = {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }
    hidden = [name for name in found if any(part.startswith(".") for part in Path(name).parts)]  # what a kill leaves
    found = {name: content for name, content in found.items() if name not in hidden}
    found.pop("ledger.csv", None)
    if "prepared.csv" in found:  # its rows are in the order in which the videos were done
        found["prepared.csv"] = sorted(found["prepared.csv"].splitlines())
    return found


def flow(records: list[VideoRecord], root: Path, pool: Pool) -> tuple[int, dict[str, object]]:
    report = precompute(records, root, FlowSettings(), pool=pool, tell=str)
    assert not report.failures
    return report.num_done, files_below(root)


def copies(records: list[VideoRecord], root: Path, pool: Pool) -> tuple[int, dict[str, object]]:
    done = prepare(records, root, PrepareSettings(24), pool=pool)
    assert not done.failures
    return len(done.videos) - done.num_kept, files_below(root)


def features(records: list[VideoRecord], root: Path, pool: Pool) -> tuple[int, dict[str, object]]:
    store, report = computed(records, root, pool=pool)
    assert not report.failures
    return report.num_done, dict(files_of(store))


@pytest.mark.parametrize("work", [flow, copies, features])
def test_outputs_are_those_of_one_process_each_made_once_and_a_second_start_makes_none(
    work: Work, nodes: RayNodes, records: list[VideoRecord], tmp_path: Path, tally: Callable[..., None]
) -> None:
    num_done, expected = work(records, tmp_path / "alone", InThisProcess())
    assert num_done == len(records)
    pool = Breaking(RayCluster(nodes.address), nodes, every=EVERY, most=MOST)
    num_done, found = work(records, tmp_path / "cluster", pool)
    assert num_done == len(records)
    assert found == expected
    ledger = next((tmp_path / "cluster").rglob("ledger.csv")).parent
    assert Counter(row.video for row in read_ledger(ledger)) == Counter(record.name for record in records)
    assert {row.outcome for row in read_ledger(ledger)} == {"done"}
    assert pool.num_killed
    tally("a node of a cluster killed", recovered=pool.num_killed, lost=0)

    assert work(records, tmp_path / "cluster", InThisProcess())[0] == 0
    while nodes.num_workers < 2:
        nodes.add()


def test_predictions_are_those_of_one_process_in_order(
    nodes: RayNodes, records: list[VideoRecord], run: Path, tally: Callable[..., None]
) -> None:
    job = PredictJob(run / "checkpoints" / "best.ckpt", "cpu")
    expected = [outcome.result for outcome in predicted_in_order(InThisProcess(), job, records)]
    pool = Breaking(RayCluster(nodes.address), nodes, every=EVERY, most=MOST)
    assert [outcome.result for outcome in predicted_in_order(pool, job, records)] == expected
    assert all(predicted is not None and len(predicted.predictions) == 1 for predicted in expected)
    tally("a node of a cluster killed", recovered=pool.num_killed, lost=0)


def test_the_loss_of_the_head_is_one_line_and_the_same_command_goes_on(
    records: list[VideoRecord], tmp_path: Path, tally: Callable[..., None]
) -> None:
    few = records[:6]

    class Headless(Breaking):
        def each(self, job: Any, records: Any, **options: Any) -> Iterator[Outcome[Any]]:
            for number, outcome in enumerate(
                self._pool.each(partial(slowly, job, seconds=3.0), records, **options), start=1
            ):
                if number == 2:
                    self._nodes.kill_head()
                yield outcome

    patience = Patience(head_silent_seconds=4.0, head_return_seconds=1.0)
    with ray_nodes(1, head_cpus=1) as nodes:  # the worker of the head's node ends with it, and no other can be started
        pool = Headless(RayCluster(nodes.address, patience=patience), nodes, every=1, most=1)
        with pytest.raises(DatasetError, match=r"^the head of the Ray cluster at .* was lost; what is finished"):
            precompute(few, tmp_path / "flow", FlowSettings(), pool=pool, tell=str)
    report = precompute(few, tmp_path / "flow", FlowSettings(), pool=InThisProcess(), tell=str)
    assert 2 <= report.num_kept < len(few)  # workers on other nodes go on until the loss is noticed
    assert report.num_kept + report.num_done == len(few)
    tally("the head of a cluster killed", recovered=1, lost=0)
