"""A command on processes of Ray Train: mistakes are not tried again, crashes are, and lines come once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vidcls.errors import ConfigurationError
from vidcls.jobs.ray_process import Job, stamp
from vidcls.jobs.ray_session import ray_session
from vidcls.jobs.ray_training import Nodes, run_on_ray

pytest.importorskip("ray")
# Runs at the start of each process, before vidcls: counts the starts, and ends the first ones.
CRASHING = """
import os, signal
from pathlib import Path
if "RANK" in os.environ:
    starts = Path(os.environ["STARTS"])
    (starts / f"{os.environ['RANK']}_{os.getpid()}").touch()
    if len([*starts.glob(os.environ["RANK"] + "_*")]) <= int(os.environ["CRASHES"]) and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
        with ray_session("local", num_cpus=2):
            yield


def job(folder: Path, *start: str, resume: tuple[str, ...] = ("--version",), crashes: int = 0) -> Job:
    (folder / "starts").mkdir()
    (folder / "code").mkdir()
    (folder / "code" / "sitecustomize.py").write_text(CRASHING)
    environment = {"STARTS": str(folder / "starts"), "CRASHES": str(crashes), "PYTHONPATH": str(folder / "code")}
    return Job(start, resume, folder / "last.ckpt", folder, folder, environment)


def test_a_mistake_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown command 'trian': did you mean fit"):
        run_on_ray(job(tmp_path, "trian"), Nodes(2, max_failures=3), lambda *_: None)
    assert len([*(tmp_path / "starts").iterdir()]) <= 2  # one of two may have seen the other's in time
    assert not (tmp_path / ".ray_train").exists()


def test_a_process_that_is_killed_is_started_again_and_the_lines_of_the_first_are_shown(tmp_path: Path) -> None:
    said: list[tuple[str, str]] = []
    lost = run_on_ray(job(tmp_path, "--version", crashes=1), Nodes(2), lambda *line: said.append(line))
    assert lost is None
    assert len([*(tmp_path / "starts").glob("1_*")]) == 2
    (restart,) = [line for stream, line in said if "restart" in line]
    assert restart.startswith("process 1 of 0 to 1 on node ")
    assert restart.endswith(
        "was killed by SIGKILL (out of memory?); the training goes on from its beginning: no checkpoint was saved "
        "(restart 1)"
    )
    assert {stream for stream, line in said if line == "0.1.0"} == {"out"}


@pytest.mark.slow
def test_more_losses_than_allowed_end_it(tmp_path: Path) -> None:
    lost = run_on_ray(job(tmp_path, "--version", crashes=9), Nodes(2, max_failures=1), lambda *_: None)
    assert lost is not None
    assert "was killed by SIGKILL" in lost
    assert len([*(tmp_path / "starts").glob("1_*")]) == 2


def test_a_node_without_the_folder_is_refused(tmp_path: Path) -> None:
    wanted = job(tmp_path, "--version")
    elsewhere = Job(wanted.start, wanted.resume, wanted.checkpoint, tmp_path, tmp_path / "none", wanted.environment)
    with pytest.raises(ConfigurationError, match=r"has no folder .*none: run the command in one on a disk that all"):
        run_on_ray(elsewhere, Nodes(1), lambda *_: None)


def test_what_keeps_ray_train_from_beginning_is_raised(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="num_workers"):
        run_on_ray(job(tmp_path, "--version"), Nodes(-1), lambda *_: None)


def test_a_checkpoint_that_was_written_again_is_another_one(tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    assert stamp(file) is None
    file.write_bytes(b"a")
    before = stamp(file)
    assert stamp(file) == before
    new = tmp_path / "new"
    new.write_bytes(b"b")
    new.replace(file)
    assert stamp(file) != before
