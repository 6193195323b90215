"""torchrun on two nodes, which here are two agents on one machine: one run folder, one run in W&B."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

SECONDS = 280  # on a busy machine too
DDP = ("--trainer.devices", "1", "--trainer.strategy", "ddp", "--data.batch_size", "2")


def on_two_nodes(folders: tuple[Path, Path], *words: object) -> list[tuple[int, str]]:
    """Exit status and output of each node's agent, which runs the command in a folder of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    agent = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", "1"]
    agent += ["--rdzv_backend", "c10d", "--rdzv_id", "test", "--rdzv_endpoint", f"127.0.0.1:{port}"]
    command = [*agent, "-m", "vidcls", "fit", *map(str, words), *DDP]
    environment = os.environ | {"WANDB_MODE": "offline"}
    agents = []
    for folder in folders:
        folder.mkdir(exist_ok=True)
        agents.append(
            subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        )
    try:
        said = [each.communicate(timeout=SECONDS)[0] for each in agents]
    finally:
        for each in agents:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(each.pid, signal.SIGKILL)
    return [(each.returncode, text) for each, text in zip(agents, said, strict=True)]


def weights(run: Path) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def test_they_write_to_one_run_folder_and_what_they_trained_is_tested_on_one(
    vidcls: Callable[..., object], tiny: Path, tmp_path: Path
) -> None:
    words = ("--config", tiny, "--trainer.num_nodes", "2", "--run_dir", "run", "--trainer", "wandb")
    for status, said in on_two_nodes((tmp_path, tmp_path), *words):
        assert status == 0, said
    run = tmp_path / "run"
    assert {path.name for path in run.iterdir()} == {
        *("config.yaml", "metrics.csv", "curves.png", "checkpoints", "run.json", "wandb"),
        *("validation.csv", "validation.json"),
    }
    assert len([path for path in (run / "wandb").iterdir() if path.name.startswith("offline-run-")]) == 1
    assert vidcls("test", "--run", "run", "--trainer.strategy", "auto").status == 0


@pytest.mark.slow
def test_they_go_on_and_end_with_the_weights_of_two_processes_of_one_machine(tiny: Path, tmp_path: Path) -> None:
    nodes = (tmp_path, tmp_path)
    words = ("--config", tiny, "--trainer.num_nodes", "2")
    for status, said in on_two_nodes(nodes, *words, "--run_dir", "run"):
        assert status == 0, said
    more = (*words, "--run_dir", "run", "--ckpt_path", "last", "--trainer.max_epochs", "3")
    for status, said in on_two_nodes(nodes, *more):
        assert status == 0, said
    program = tmp_path / "program.py"
    program.write_text("import sys\nfrom vidcls.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n")
    alone = [
        "fit",
        "--config",
        str(tiny),
        "--run",
        "alone",
        *DDP,
        "--trainer.devices",
        "2",
        "--trainer.max_epochs",
        "3",
    ]
    subprocess.run([sys.executable, str(program), *alone], cwd=tmp_path, check=True, capture_output=True)
    ours, theirs = weights(tmp_path / "run"), weights(tmp_path / "alone")
    assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []


@pytest.mark.slow
def test_nodes_without_a_common_run_folder_and_another_number_of_nodes_are_refused_in_one_line(
    tiny: Path, tmp_path: Path
) -> None:
    apart = (tmp_path / "node0", tmp_path / "node1")
    for status, said in on_two_nodes(apart, "--config", tiny, "--trainer.num_nodes", "2", "--run_dir", "run"):
        assert status == 1  # the agent's; that of the command is 2
        (line,) = re.findall("^vidcls: error: .*$", said, re.MULTILINE)
        assert line.startswith("vidcls: error: run folder run: ")
        assert line.endswith("pass --run_dir with a folder on a disk that all nodes share")
    assert not any((node / "run" / "config.yaml").exists() for node in apart)
    for status, said in on_two_nodes((tmp_path, tmp_path), "--config", tiny, "--run_dir", "other"):
        assert status == 1
        assert "vidcls: error: torchrun has started 2 processes, 1 on each node: pass --trainer.num_nodes 2" in said
        assert "Traceback" not in said.partition("vidcls: error")[0]
