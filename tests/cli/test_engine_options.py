"""The options of fit --engine ray: what is wrong with them is said in one line, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vidcls.cli.engine import Engine, engine_of, without_engine
from vidcls.cli.words import Words

RAY = "--engine ray --num_processes 2"


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("fit", "--engine spark", "--engine spark: expected local or ray"),
        ("fit", "--num_processes 2", "--num_processes: belongs to --engine ray: add that, or on this machine pass"),
        ("fit", "--engine local --address auto", "--address: belongs to --engine ray"),
        ("fit", "--engine ray", "--engine ray: pass --num_processes N"),
        ("fit", "--engine ray --num_processes two", "--num_processes two: expected an integer of at least 1"),
        ("fit", "--engine ray --num_processes 0", "--num_processes 0: expected an integer of at least 1"),
        ("fit", f"{RAY} --num_nodes 3", "--num_nodes 3: 2 processes cannot be spread over them evenly"),
        ("fit", f"{RAY} --cpus_per_worker few", "--cpus_per_worker: 'few' is not a number above 0"),
        ("fit", f"{RAY} --cpus_per_worker 0", "--cpus_per_worker: '0' is not a number above 0"),
        ("fit", f"{RAY} --gpus_per_worker 1.5", "'1.5' is not a fraction of one GPU, or an integer"),
        ("fit", f"{RAY} --max_failures -1", "--max_failures -1: expected an integer of at least 0"),
        ("fit", f"{RAY} --trainer.devices 2", "--trainer.devices: with --engine ray, --num_processes N says how many"),
        ("fit", f"{RAY} --address nowhere", "--address nowhere: expected local, auto or HOST:PORT"),
        ("fit", f"{RAY} --address ray://a:1", "is one of Ray Client"),
        ("fit", "--engine", "--engine: expected one argument"),
        ("fit", "--num_proceses 2", "unknown option; did you mean --num_processes?"),
        ("test", RAY, "--engine ray: trains; test runs on this machine: remove it"),
    ],
)
def test_a_mistake_is_one_line(
    vidcls: Callable[..., object], tiny: Path, tmp_path: Path, command: str, words: str, said: str
) -> None:
    assert said in vidcls(command, "--config", tiny, *words.split()).refusal()
    assert [path.name for path in tmp_path.iterdir()] == []


def test_the_number_of_gpus_follows_the_accelerator_and_what_is_left_is_the_training_itself() -> None:
    words = Words(["--config", "two_stream", *RAY.split(), "--trainer", "gpu", "--max_failures", "0"])
    assert engine_of("fit", words) == Engine("local", 2, None, 1.0, 1.0, 0)
    assert without_engine(words).as_given == ["--config", "two_stream", "--trainer", "gpu"]
    assert engine_of("fit", Words([*RAY.split(), "--num_nodes", "2"])) == Engine("local", 2, 2, 1.0, 0.0, 3)
    assert engine_of("fit", Words(["--engine", "local"])) is None


def test_a_training_on_several_nodes_that_nothing_has_started_there_is_refused_and_its_test_runs_here(
    vidcls: Callable[..., object], tiny: Path, run: Path
) -> None:
    refused = vidcls("fit", "--config", tiny, "--trainer.num_nodes", "2")
    assert (
        "was not started on several nodes: start it with torchrun --nnodes 2, srun or --engine ray" in refused.refusal()
    )
    assert vidcls("validate", "--run", run, "--trainer.num_nodes", "2", "--trainer.devices", "1").status == 0
