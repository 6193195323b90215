"""A training on a Ray cluster that loses a node ends with the weights, and the clips, of an undisturbed one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from vidcls.cli import main

pytest.importorskip("ray")
CONFIG = """
seed_everything: 1
model:
  class_path: TwoStream
  init_args:
    spatial: small
    temporal: small
    dropout: 0.5
    optimization: {{lr: 0.05, warmup: 0.2}}
data:
  dataset: {{class_path: VideoFolder, init_args: {{root: {root}}}}}
  flow_len: 3
  batch_size: 2
  test_batch_size: 4
  num_workers: 0
  transform: {{resize_px: 32, crop_px: 24, color_jitter: 0.3}}
trainer:
  max_epochs: {num_epochs}
  accelerator: cpu
  log_every_n_steps: 1
  enable_progress_bar: false
  enable_model_summary: false
"""
NOTING = """
import hashlib, json, os, time
from pathlib import Path
import torch
from lightning.pytorch import Callback

def digest(values):
    return hashlib.sha256(values.contiguous().numpy().tobytes()).hexdigest()[:16]

class Noting(Callback):
    '''Notes each step with its clips, and waits at some of them until the test has killed something.'''

    def __init__(self, folder: str, stops: list[int]) -> None:
        self.folder, self.stops = Path(folder), stops

    def on_train_batch_start(self, trainer, module, batch, number):
        step, rank = trainer.global_step, trainer.global_rank
        pixels = {name: digest(stream) for name, stream in batch["streams"].items()}
        # Statistics of normalisation are those of the first process, which DDP sends to the others with each step.
        values = module.named_parameters() if rank else module.state_dict().items()
        weights = {name: digest(value.detach()) for name, value in values}
        clips, threads = batch["index"].tolist(), torch.get_num_threads()
        fact = {"threads": threads, "clips": clips, "pixels": pixels, "weights": weights}
        file = self.folder / f"{time.time_ns()}_{os.getpid()}"
        file.with_suffix(".part").write_text(json.dumps({"step": step, "rank": rank, **fact}))
        file.with_suffix(".part").rename(file.with_suffix(".json"))
        while step in self.stops and not (self.folder / f"killed{step}").exists():
            waits = self.folder / f"waits{step}_{rank}"
            waits.with_suffix(".part").write_text(str(os.getpid()))  # whole when it is there: it means a kill
            waits.with_suffix(".part").rename(waits)
            time.sleep(0.05)
"""
NOTICES_SOON = {"health_check_period_ms": 1000, "health_check_failure_threshold": 5}
SECONDS = 240  # for whatever is waited for, on a busy machine too


@dataclass
class Nodes:
    """A cluster of this machine: a head without CPUs, beside which nodes of one CPU come and go."""

    cluster: Any
    working: list[Any] = field(default_factory=list)

    def add(self) -> None:
        self.working.append(self.cluster.add_node(num_cpus=1))

    def kill(self) -> None:
        """The node that was added first."""
        self.cluster.remove_node(self.working.pop(0), allow_graceful=False)


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.5")
    folder = tempfile.mkdtemp(prefix="vray_", dir="/tmp")  # names of sockets have to be short
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": NOTICES_SOON, "temp_dir": folder}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    yield Nodes(cluster)
    ray.shutdown()
    cluster.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def words(tmp_path: Path, clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Those of a training that notes its steps in a folder and waits at some of them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noting.py").write_text(NOTING)

    def words(name: str, *, num_epochs: int, stops: tuple[int, ...] = ()) -> list[str]:
        config, noted = tmp_path / "tiny.yaml", tmp_path / f"{name}_steps"
        config.write_text(CONFIG.format(root=clip_folder, num_epochs=num_epochs))
        noted.mkdir()
        arguments = json.dumps({"folder": str(noted), "stops": list(stops)})
        callback = f'{{"class_path": "noting.Noting", "init_args": {arguments}}}'
        often = ["--save_every_n_steps", "1", "--trainer.callbacks+", callback]
        return ["fit", "--config", str(config), "--run", name, *often]

    return words


def steps(name: str) -> dict[tuple[int, int], dict[str, object]]:
    """By step and process the threads, clips, digests of pixels and of weights; of one taken twice, twice the same."""
    found: dict[tuple[int, int], dict[str, object]] = {}
    for file in sorted(Path(f"{name}_steps").glob("*.json")):
        fact = json.loads(file.read_text())
        place = fact.pop("step"), fact.pop("rank")
        assert found.setdefault(place, fact) == fact, place
    return found


def weights(name: str, which: str) -> dict[str, torch.Tensor]:
    return torch.load(Path(name) / "checkpoints" / f"{which}.ckpt", weights_only=True)["state_dict"]


def wait_for(is_done: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + SECONDS
    while not is_done():
        assert time.monotonic() < until, what
        time.sleep(0.05)


def assert_same_training(ours: str, theirs: str) -> None:
    mine, expected = steps(ours), steps(theirs)
    assert mine.keys() == expected.keys()
    for place in sorted(expected):  # the first step that differs, and in what, is the cause
        for what in ("threads", "clips", "pixels", "weights"):
            assert mine[place][what] == expected[place][what], (place, what)
    for which in ("last", "best"):
        found, wanted = weights(ours, which), weights(theirs, which)
        assert found.keys() == wanted.keys()
        differences = {key: float((found[key].double() - wanted[key].double()).abs().max()) for key in wanted}
        assert {key: difference for key, difference in differences.items() if difference} == {}, which


def lose_nodes(nodes: Nodes, name: str, *, stops: tuple[int, ...], num_processes: int) -> None:
    """Kill the oldest node at each of these steps, with all of its processes, and add another one."""
    for step in stops:
        waiting = [Path(f"{name}_steps/waits{step}_{rank}") for rank in range(num_processes)]
        wait_for(lambda waiting=waiting: all(file.exists() for file in waiting), f"step {step}")
        nodes.kill()
        wait_for(lambda waiting=waiting: not all(map(is_alive, waiting)), "the end of the processes")
        Path(f"{name}_steps/killed{step}").touch()
        nodes.add()


def is_alive(waiting: Path) -> bool:
    """Whether the process that waits at a step is there, and no zombie."""
    try:
        return Path(f"/proc/{waiting.read_text()}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def in_processes(words: list[str], num_processes: int) -> None:
    """Train undisturbed in fresh processes, each on one thread as Ray runs a process that has one CPU."""
    program = Path("program.py")
    program.write_text("import sys\nfrom vidcls.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n")
    ddp = ["--trainer.devices", str(num_processes), "--trainer.strategy", "ddp"] if num_processes > 1 else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(program), *words, *ddp], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


@contextmanager
def on_ray(nodes: Nodes, words: list[str], *, num_processes: int, **options: int) -> Iterator[None]:
    """While the block runs, so does the training, in a thread: a node can be added from the main one alone."""
    more = [word for option, value in options.items() for word in (f"--{option}", str(value))]
    address = ["--engine", "ray", "--address", nodes.cluster.address, "--num_processes", str(num_processes)]
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(main, [*words, *address, *more])
        yield
        assert status.result(SECONDS) == 0


def test_a_training_whose_node_is_killed_goes_on_elsewhere_and_ends_with_the_weights_of_the_undisturbed(
    words: Callable[..., list[str]], nodes: Nodes, capfd: pytest.CaptureFixture[str]
) -> None:
    nodes.add()
    in_processes(words("whole", num_epochs=2), 1)
    with on_ray(nodes, words("lost", num_epochs=2, stops=(8,)), num_processes=1):
        lose_nodes(nodes, "lost", stops=(8,), num_processes=1)
    assert_same_training("lost", "whole")
    said = capfd.readouterr()
    assert "the training goes on from its last checkpoint (restart 1)" in said.err
    assert len([line for line in said.out.splitlines() if line.startswith("trained: ") and "lost (" in line]) == 1
    assert "Traceback" not in said.err
    assert {path.name for path in Path("lost").iterdir()} == {path.name for path in Path("whole").iterdir()}


@pytest.mark.slow
def test_of_two_nodes_with_a_process_each_one_is_killed_and_the_weights_are_those_of_the_undisturbed(
    words: Callable[..., list[str]], nodes: Nodes, is_full: bool
) -> None:
    stops = (1, 4, 7) if is_full else (4,)
    num_epochs = 3 if is_full else 2
    nodes.add()
    nodes.add()
    in_processes(words("whole", num_epochs=num_epochs), 2)
    mine = words("lost", num_epochs=num_epochs, stops=stops)
    with on_ray(nodes, mine, num_processes=2, num_nodes=2, max_failures=len(stops)):
        lose_nodes(nodes, "lost", stops=stops, num_processes=2)
    assert len({rank for _, rank in steps("lost")}) == 2
    assert_same_training("lost", "whole")
