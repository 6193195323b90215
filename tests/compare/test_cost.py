"""Costs of a small network: counts by hand, times and memory that are there and of the right order."""

from __future__ import annotations

import json
import multiprocessing
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer

from vidcls.clips import InputSettings
from vidcls.compare import cost
from vidcls.compare.cost import CostRequest, joined, main, measure, per_second
from vidcls.models import SingleFrame
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings

# The small network with a head of two classes, per frame of 32x32:
# 9*3*16*16*16 + 9*16*32*8*8 + 9*32*32*4*4 + 9*32*64*4*4 + 64*2 multiply-adds.
WORK_PER_FRAME = 110_592 + 294_912 + 147_456 + 294_912 + 128
NUM_PARAMETERS = 32_976 + 64 * 2 + 2


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network that sees four frames of 32x32."""
    clip = ClipSettings(clip_len=4)
    model = SingleFrame(class_names=["a", "b"], clip=clip, backbone="small")
    model.input_settings = InputSettings(("rgb",), clip, transform=TransformSettings(crop_px=32)).to_dict()
    trainer = Trainer(max_epochs=0, logger=False, accelerator="cpu", enable_checkpointing=False)
    trainer.strategy.connect(model)
    file = tmp_path_factory.mktemp("cost") / "best.ckpt"
    trainer.save_checkpoint(file)
    return file


@pytest.fixture
def request_of(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CostRequest]:
    monkeypatch.setattr(cost, "MAX_SECONDS", 0.0)

    def make(precision: str = "32-true") -> CostRequest:
        return CostRequest(str(checkpoint), "cpu", precision, 3)

    return make


def test_counts_are_for_one_clip_and_every_time_was_taken(request_of: Callable[..., CostRequest]) -> None:
    found = measure(request_of())
    assert found.num_multiply_adds == 4 * WORK_PER_FRAME
    assert found.num_parameters == NUM_PARAMETERS
    assert found.clip_shapes == {"rgb": [1, 3, 4, 32, 32]}
    for seconds in (found.latency_seconds, found.inference_seconds, found.training_seconds):
        assert len(seconds) == cost.MIN_REPETITIONS
        assert all(0 < value < 10 for value in seconds)
    assert found.num_threads == torch.get_num_threads()


def test_a_training_step_needs_the_memory_of_weights_gradients_and_optimiser(checkpoint: Path) -> None:
    """A buffer of 64 MiB that only the training step makes is seen; on a network that needs less."""
    if not Path("/proc/self/status").is_file():
        pytest.skip("the system does not say how much memory a process has")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:  # its memory is its own
        peak = pool.submit(_peak_of_a_wasteful_step, checkpoint).result()
    assert peak is not None
    assert 60 * 2**20 < peak < 400 * 2**20


def _peak_of_a_wasteful_step(checkpoint: Path) -> int | None:
    step = SingleFrame.training_step

    def wasteful(self: SingleFrame, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        waste = torch.ones(64 * 2**20 // 4)
        return step(self, batch, batch_idx) + 0 * waste[0]

    SingleFrame.training_step = wasteful  # type: ignore[method-assign,assignment]
    cost.MAX_SECONDS = 0.0
    return measure(CostRequest(str(checkpoint), "cpu", "32-true", 3)).training_peak_bytes


def test_mixed_precision_is_measured_as_such(
    request_of: Callable[..., CostRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[torch.dtype] = set()
    forward = SingleFrame.forward

    def noted(self: SingleFrame, rgb: torch.Tensor) -> torch.Tensor:
        logits = forward(self, rgb)
        seen.add(logits.dtype) if logits.device.type == "cpu" else None
        return logits

    monkeypatch.setattr(SingleFrame, "forward", noted)
    measure(request_of("bf16-mixed"))
    assert seen == {torch.bfloat16}


def test_measurements_of_two_rounds_are_one(cost: cost.Cost) -> None:
    both = joined([cost, cost])
    assert both.latency_seconds == cost.latency_seconds * 2
    assert (both.training_peak_bytes, both.num_parameters) == (cost.training_peak_bytes, cost.num_parameters)


def test_throughput_is_that_of_the_median_batch() -> None:
    assert per_second([0.1, 0.2, 9.0], 8) == pytest.approx(40)


def test_the_program_answers_in_json_and_fails_in_one_line(
    request_of: Callable[..., CostRequest], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(".")
    request = {"checkpoint": request_of().checkpoint, "device": "cpu", "precision": "32-true", "batch_size": 2}
    assert main([json.dumps(request)]) == 0
    assert json.loads(capsys.readouterr().out)["num_parameters"] == NUM_PARAMETERS
    assert main([json.dumps({**request, "checkpoint": "no.ckpt"})]) == 2
    assert re.fullmatch(r"no\.ckpt: no such file or folder: .*\n", capsys.readouterr().err)
