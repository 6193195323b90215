"""Testing and training on two processes (gloo, on the CPU) against one."""

from __future__ import annotations

import contextlib
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

SCRIPT = Path(__file__).parent / "two_processes.py"


def on_several(num_processes: int, clip_folder: Path, folder: Path, meanwhile: Callable[[], object]) -> Any:
    """What so many processes find; this process does something else meanwhile."""
    result = folder / f"{num_processes}.pt"
    command = [sys.executable, str(SCRIPT), str(clip_folder), str(result), str(num_processes)]
    with (folder / "log").open("w") as log:
        job = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        meanwhile()
        try:
            status = job.wait(timeout=240)
        finally:
            with contextlib.suppress(ProcessLookupError):  # the other processes are children of the first
                os.killpg(job.pid, signal.SIGKILL)
    assert status == 0, (folder / "log").read_text()[-3000:]
    return torch.load(result)


@pytest.fixture(scope="module")
def found_by_one_and_two(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    folder = tmp_path_factory.mktemp("processes")
    one = folder / "one.pt"
    main = runpy.run_path(str(SCRIPT))["main"]
    two = on_several(2, clip_folder, folder, lambda: main(str(clip_folder), str(one), 1))
    return torch.load(one), two


@pytest.mark.slow
def test_three_processes_find_the_test_scores_of_one_to_the_last_digit(
    found_by_one_and_two: tuple[Any, Any], clip_folder: Path, tmp_path: Path
) -> None:
    one, _ = found_by_one_and_two
    three = on_several(3, clip_folder, tmp_path, lambda: None)
    for test_batch_size in ("2", "7"):  # of 7 videos they get 2 + 1 + 1 batches, or 1 + 0 + 0
        assert three[test_batch_size]["indices"].tolist() == list(range(7))
        for row, scores in one[test_batch_size]["scores"].items():
            assert torch.equal(scores, three[test_batch_size]["scores"][row]), row
        assert one[test_batch_size]["table"] == three[test_batch_size]["table"]


@pytest.mark.parametrize("test_batch_size", ["2", "7"])
def test_two_processes_find_the_test_scores_of_one_to_the_last_digit(
    found_by_one_and_two: tuple[Any, Any], test_batch_size: str
) -> None:
    one, two = (found[test_batch_size] for found in found_by_one_and_two)
    assert two["indices"].tolist() == list(range(7))
    assert torch.equal(one["labels"], two["labels"])
    assert list(two["scores"]) == ["model", "spatial", "temporal", "mean", "product", "weighted"]
    for row, scores in one["scores"].items():
        assert scores.shape == (7, 3)
        assert torch.equal(scores, two["scores"][row]), row
    assert one["table"] == two["table"]
    assert set(one["table"]) >= {"test/top1", "test/mean_class_accuracy", "test/spatial_top1", "test/product_top1"}


@pytest.mark.parametrize("test_batch_size", ["2", "7"])
def test_two_processes_share_an_epoch_and_keep_one_set_of_weights(
    found_by_one_and_two: tuple[Any, Any], test_batch_size: str
) -> None:
    one, two = (found[test_batch_size] for found in found_by_one_and_two)
    assert one["num_steps"] == 4  # 12 videos in batches of 3
    assert two["num_steps"] == 2  # in global batches of 6
    first, second = two["kernels_by_process"]
    assert torch.equal(first, second)
    assert set(two["validation"]) == set(one["validation"])
    assert all(torch.isfinite(torch.tensor(value)) for value in two["validation"].values())


@pytest.mark.parametrize("test_batch_size", ["2", "7"])
def test_two_processes_fit_the_support_vector_machine_of_one(
    found_by_one_and_two: tuple[Any, Any], test_batch_size: str
) -> None:
    one, two = (found[test_batch_size]["fitted"] for found in found_by_one_and_two)
    assert bool(one["svm.is_fitted"])
    assert one["svm.weight"].abs().sum() > 0
    for name, value in one.items():  # fitted to the weights of the checkpoint, which are those of before the training
        assert torch.equal(value, two[name]), name
