"""What ``predict`` and ``features`` tell the workers of a cluster."""

from __future__ import annotations

import csv
import pickle
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from vidcls.cli.pool_options import worker_device
from vidcls.jobs import InThisProcess, Outcome
from vidcls.remote import place_of
from vidcls.remote.permission import allow_remote, permission_ends

Command = Callable[..., Any]


class Noting:
    """A pool that keeps what it was to do, and does it here."""

    def __init__(self) -> None:
        self.job: Any = None
        self.files: Sequence[Path] = ()

    def chosen(self, options: Namespace, files: Sequence[Path] = ()) -> Noting:
        self.files = files
        return self

    def each(self, job: Any, records: Any, **options: Any) -> Iterator[Outcome[Any]]:
        (self.job,) = job.args
        return InThisProcess().each(job, records, **options)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Noting:
    pytest.importorskip("ray")
    pool = Noting()
    monkeypatch.setattr("vidcls.cli.predict_elsewhere.chosen_pool", pool.chosen)
    return pool


@pytest.fixture
def video(clip_folder: Path) -> Path:
    return sorted(clip_folder.rglob("*.avi"))[0]


def test_a_checkpoint_of_this_machine_is_one_that_every_node_must_see(
    vidcls: Command, run: Path, video: Path, pool: Noting
) -> None:
    best = run / "checkpoints" / "best.ckpt"
    assert vidcls("predict", best, video, "--engine", "ray").status == 0
    assert (pool.job.checkpoint, pool.job.device) == (best.absolute(), "cpu")
    assert pool.files == [best.absolute()]


@pytest.mark.parametrize("suffix", ["onnx", "pt2"])
def test_an_exported_file_predicts_here_and_on_a_cluster_as_its_checkpoint(
    vidcls: Command, run: Path, video: Path, pool: Noting, tmp_path: Path, suffix: str
) -> None:
    pytest.importorskip("onnxscript", reason="needs the extra export")
    pytest.importorskip("onnxruntime", reason="needs the extra runtime")
    import onnx_files

    best = run / "checkpoints" / "best.ckpt"
    write = onnx_files.write_onnx if suffix == "onnx" else onnx_files.write_pt2
    model = write(best, tmp_path / f"model.{suffix}")
    outputs = []
    for words in ((best,), (model,), (model, "--engine", "ray")):
        output = tmp_path / f"{len(outputs)}.csv"
        assert vidcls("predict", *words, video, "--output", output).status == 0
        with output.open(newline="") as file:
            outputs.append(next(csv.DictReader(file)))
    assert pickle.loads(pickle.dumps(pool.job)).checkpoint == model.absolute()
    assert pool.files == [model.absolute()]
    expected, *others = outputs
    for found in others:
        assert found.keys() == expected.keys()
        assert found["prediction"] == expected["prediction"]
        for name in (name for name in expected if name.startswith("p_")):
            assert float(found[name]) == pytest.approx(float(expected[name]), abs=1e-4)


def test_a_checkpoint_at_an_address_is_fetched_by_each_worker(
    vidcls: Command, run: Path, video: Path, pool: Noting
) -> None:
    address = "memory://runs/best.ckpt"
    with permission_ends():
        allow_remote("memory")
        place_of(address).write_bytes((run / "checkpoints" / "best.ckpt").read_bytes())
    assert vidcls("predict", address, video, "--engine", "ray", "--allow-remote", "memory").status == 0
    assert pool.job.checkpoint == address
    assert pool.files == []


@pytest.mark.parametrize(
    ("device", "gpus", "expected"),
    [("auto", None, "cpu"), ("auto", 0.25, "cuda"), ("cuda", None, "cuda"), ("cpu", 1.0, "cpu")],
)
def test_a_worker_uses_a_gpu_that_ray_keeps_for_it_alone(device: str, gpus: float | None, expected: str) -> None:
    assert worker_device(Namespace(device=device, gpus_per_worker=gpus)) == expected
