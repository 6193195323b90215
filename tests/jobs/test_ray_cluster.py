"""A list of videos on a Ray cluster: what Ray would not do by itself is done here.

Ray tries no task of an actor again unless told to, and Ray Data drops blocks of videos where one has failed. It also
keeps no note of what is done of a list in memory: that a second start does no work, by the files of the videos alone,
is tested with each kind of work in ``tests/torture/kills/test_kill_cluster_nodes.py``.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("ray")

from ray_nodes import RayNodes, ray_nodes

from vidcls.errors import DatasetError
from vidcls.jobs import LostWorkerError, RayCluster, fault_of, read_ledger, reason_of
from vidcls.jobs.shared_folder import VideoMark, marked
from vidcls.remote.permission import allow_remote, permission_ends
from vidcls.trusted_classes import allow_classes
from vidcls.types import VideoRecord
from vidcls.video import LocalFile

JOBS = """
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from vidcls.jobs import worker_number
from vidcls.remote.permission import allowed_remote
from vidcls.trusted_classes import allowed_classes
from vidcls.video import LocalFile

FOLDER = Path(__file__).parent


class OddError(Exception):
    def __init__(self, one, two):
        super().__init__(one)  # cannot be unpickled


@dataclass(frozen=True)
class OnlyHere(LocalFile):
    # a video that only the process sees that made it

    process: int = 0

    def stamp(self) -> tuple[int, int] | None:
        return (1, 1) if os.getpid() == self.process else None


def job(record):
    with (FOLDER / "tries.txt").open("a") as file:
        file.write(record.name + "\\n")
    if record.label == "kills":
        os.kill(os.getpid(), signal.SIGKILL)
    if record.label == "hangs":
        time.sleep(3600)
    if record.label == "raises":
        raise ValueError("no frames")
    if record.label == "raises oddly":
        raise OddError(1, 2)
    allowed = allowed_classes(), allowed_remote()
    return worker_number(), os.getcwd(), os.environ.get("CUDA_VISIBLE_DEVICES"), allowed
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with ray_nodes(0, head_cpus=2) as found:
        yield found


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    (tmp_path / "jobs_of_a_cluster.py").write_text(JOBS)  # workers import it by name
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("jobs_of_a_cluster")
    del sys.modules["jobs_of_a_cluster"]


@pytest.fixture
def allowed() -> Iterator[None]:
    allow_classes(["mypackage"])
    with permission_ends():
        allow_remote("memory")
        yield
    allow_classes([])


def records_of(*labels: str) -> list[VideoRecord]:
    return [VideoRecord(LocalFile(Path(f"{i}.mp4")), label, "train", str(i)) for i, label in enumerate(labels)]


def test_lost_workers_are_tried_again_though_ray_tries_nothing_and_an_error_of_one_video_drops_no_other(
    nodes: RayNodes, jobs: ModuleType, tmp_path: Path, allowed: None
) -> None:
    labels = ("", "", "raises", "hangs", "kills", "raises oddly", "", "")
    pool = RayCluster(nodes.address, max_retries=1)
    found = [*pool.each(jobs.job, records_of(*labels), seconds_each=5.0, output=tmp_path / "out")]
    assert sorted(outcome.record.name for outcome in found) == [str(i) for i in range(len(labels))]
    outcomes = {outcome.record.name: outcome for outcome in found}
    done = {name for name, outcome in outcomes.items() if outcome.error is None}
    assert done == {"0", "1", "6", "7"}
    for name in done:
        number, folder, gpus, allowed_there = outcomes[name].result
        assert number < 8
        assert allowed_there == (["mypackage"], ("memory",))  # what the user allowed the command
        assert folder == os.getcwd()  # noqa: PTH109 - relative paths lead from there
        assert not gpus  # none was asked for
    assert reason_of(outcomes["2"]) == "2.mp4: no frames"
    assert reason_of(outcomes["5"]) == "5.mp4: RuntimeError: OddError: 1"
    assert isinstance(outcomes["3"].error, TimeoutError)
    assert reason_of(outcomes["3"]) == "3.mp4: it was not read within 5 seconds, and its process was ended"
    assert isinstance(outcomes["4"].error, LostWorkerError)
    assert fault_of(outcomes["4"]).kind == "crash"
    assert "each of the 2 workers that tried it was lost; of the last the process on " in reason_of(outcomes["4"])
    tries = Counter((tmp_path / "tries.txt").read_text().splitlines())
    assert tries == {"0": 1, "1": 1, "2": 1, "3": 1, "4": 2, "5": 1, "6": 1, "7": 1}
    ledger = {row.video: row for row in read_ledger(tmp_path / "out")}
    assert {name: row.tries for name, row in ledger.items()} == tries
    assert {name for name, row in ledger.items() if row.outcome == "done"} == done
    assert len({(row.node, row.node_id) for row in ledger.values()}) == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["ledger.csv"]


def test_a_cluster_that_does_not_share_the_storage_is_refused_in_one_line(
    nodes: RayNodes, jobs: ModuleType, tmp_path: Path
) -> None:
    record = VideoRecord(jobs.OnlyHere(Path("here.mp4"), os.getpid()), "", "train", "a")
    with pytest.raises(DatasetError, match=r"^node .*\(.*\) of the cluster does not see here.mp4: the videos"):
        list(RayCluster(nodes.address).each(jobs.job, [record], output=tmp_path / "out"))
    assert not list((tmp_path / "out").iterdir())


def test_a_worker_that_lacks_what_the_command_was_allowed_is_refused_in_one_line(
    nodes: RayNodes, jobs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidcls.jobs.ray_run.allowed_remote", lambda: ("none",))
    with pytest.raises(DatasetError, match=r"^node .*\(.*\) of the cluster cannot start a worker: .*'none'"):
        list(RayCluster(nodes.address).each(jobs.job, records_of("")))


def test_a_worker_that_does_not_see_a_file_of_the_command_is_refused_in_one_line(
    nodes: RayNodes, jobs: ModuleType, tmp_path: Path
) -> None:
    class HasLess(type(tmp_path)):  # type: ignore[misc]
        """A path whose file another machine has in another version; pickled it is a plain one."""

        def stat(self, **options: bool) -> os.stat_result:
            whole = super().stat(**options)
            return os.stat_result((*whole[:6], whole.st_size + 1, *whole[7:10]))

        def __reduce__(self) -> tuple[type[Path], tuple[str]]:
            return Path, (str(self),)

    file = HasLess(tmp_path / "best.ckpt")
    file.write_bytes(b"weights")
    with pytest.raises(DatasetError, match=r"^node .*\(.*\) of the cluster has another .*best.ckpt: it must lie on"):
        list(RayCluster(nodes.address, files=(file,)).each(jobs.job, records_of("")))


def test_a_video_at_an_address_is_not_asked_before_its_turn(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Unreachable:
        def stamp(self) -> None:
            raise DatasetError("the server does not answer")

    file = tmp_path / "a.mp4"
    file.touch()
    here = VideoRecord(LocalFile(file), "", "train", "a")
    with marked(None, [VideoRecord(Unreachable(), "", "train", "b"), here]) as marks:  # type: ignore[arg-type]
        assert marks == [VideoMark(here)]


def test_no_record_asks_for_no_cluster() -> None:
    assert list(RayCluster("127.0.0.1:1").each(len, [])) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"num_cpus": 0}, "above 0"), ({"num_gpus": 1.5}, "fraction"), ({"num_workers": 0}, "at least 1")],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RayCluster(**settings)  # type: ignore[arg-type]
