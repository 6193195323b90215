"""What does a Ray cluster cost beside processes of one machine: flow of the same clips, and the time until it begins?

Rows: the two pools of vidcls; Ray's plain tasks with a bounded window, and Ray Data's map over actors, each written as
briefly as possible, with no retries, no limit of time and no ledger. All of them have the same number of workers on
this machine, each on one thread. Start-up is until the first video is done; the rate is that of the videos after as
many as there are workers. Rounds alternate.
Usage: python benchmarks/engines.py [--videos N] [--frames N] [--num_workers N] [--rounds N] [--only_pools] ...
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from clips import write_originals
from measuring import Measured, paired, parser, ratio, report

from vidcls.flow.precompute import precompute
from vidcls.flow.settings import FlowSettings
from vidcls.jobs import LocalProcesses, Outcome, Pool, RayCluster, ray_session
from vidcls.jobs.pools import be_worker
from vidcls.types import VideoRecord
from vidcls.video import LocalFile

ROWS = ("processes of this machine", "Ray, workers of vidcls", "Ray, plain tasks", "Ray Data, map over actors")


class PlainTasks:
    """Ray's tasks, twice as many at a time as there are CPUs."""

    def __init__(self, num_workers: int) -> None:
        self.num_workers = num_workers

    def each(self, job: Any, records: Iterable[VideoRecord], **_: object) -> Iterator[Outcome[Any]]:
        import ray

        def run(record: VideoRecord) -> object:
            be_worker(0)
            return job(record)

        with ray_session("local", num_cpus=self.num_workers):
            task, waiting, running = ray.remote(num_cpus=1)(run), iter(records), {}
            while True:
                for record in islice(waiting, 2 * self.num_workers - len(running)):
                    running[task.remote(record)] = record
                if not running:
                    return
                for ref in ray.wait(list(running))[0]:
                    yield Outcome(running.pop(ref), ray.get(ref), None)


class RayData:
    """Ray Data's map of a class over rows."""

    def __init__(self, num_workers: int) -> None:
        self.num_workers = num_workers

    def each(self, job: Any, records: Iterable[VideoRecord], **_: object) -> Iterator[Outcome[Any]]:
        found = list(records)

        class Worker:
            def __init__(self) -> None:
                be_worker(0)

            def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
                return {"item": row["item"], "result": [job(found[row["item"]])]}

        with ray_session("local", num_cpus=self.num_workers):
            import ray.data

            ray.data.DataContext.get_current().enable_progress_bars = False
            rows = ray.data.from_items(list(range(len(found))), override_num_blocks=len(found))
            pool = ray.data.ActorPoolStrategy(size=self.num_workers)
            for row in rows.map(Worker, compute=pool, num_cpus=1).iter_rows():
                yield Outcome(found[row["item"]], row["result"][0], None)


class Timed:
    """A pool, and when each of its outcomes came, in seconds from its start."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.seconds: list[float] = []

    def each(self, job: Any, records: Any, **options: Any) -> Iterator[Outcome[Any]]:
        started = time.perf_counter()
        for outcome in self.pool.each(job, records, **options):
            self.seconds.append(time.perf_counter() - started)
            assert outcome.error is None, outcome.error
            yield outcome


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--videos", type=int, default=300)
    arguments.add_argument("--frames", type=int, default=24)
    arguments.add_argument("--num_workers", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--only_pools", action="store_true", help="without plain tasks and Ray Data")
    options = arguments.parse_args()
    if options.quick:
        options.videos, options.frames, options.num_workers, options.rounds = 4, 4, 1, 1
    n = options.num_workers
    pools: tuple[Callable[[], Pool], ...] = (
        lambda: LocalProcesses(n),
        lambda: RayCluster(num_workers=n),
        lambda: PlainTasks(n),
        lambda: RayData(n),
    )
    names = ROWS[:2] if options.only_pools else ROWS
    start_ups: dict[str, list[float]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        paths = write_originals(Path(folder) / "videos", num_videos=options.videos, num_frames=options.frames)
        records = [VideoRecord(LocalFile(path), "", "train", path.name) for path in paths]

        def measured(name: str, make: Callable[[], Pool]) -> float:
            pool = Timed(make())
            with tempfile.TemporaryDirectory() as store:
                done = precompute(records, Path(store), FlowSettings(), pool=pool, tell=str)
            assert done.num_done == len(records), done.failures
            start_ups[name].append(pool.seconds[0])
            return (pool.seconds[-1] - pool.seconds[n - 1]) / (len(records) - n)

        def row(name: str, make: Callable[[], Pool]) -> Callable[[], float]:
            return lambda: measured(name, make)

        rows = {name: row(name, make) for name, make in zip(names, pools, strict=False)}
        found = paired(rows, rounds=options.rounds)
    local = found[ROWS[0]]
    table = [
        (
            name,
            1e3 * found[name].median,
            ratio(found[name], local),
            Measured(start_ups[name]).median,
            Measured(start_ups[name]).spread,
        )
        for name in names
    ]
    report(
        f"Flow (dis) of {options.videos} clips of {options.frames} frames of 340x256, {n} workers",
        ("engine", "ms per clip", "ratio to processes", "start-up s", "start-up s, least to most"),
        table,
        options.output,
        details={"seconds_per_clip": {name: row.values for name, row in found.items()}, "start_up": start_ups},
    )


if __name__ == "__main__":
    main()
