"""Every benchmark runs to its end and writes its numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from decoders import skip_if_missing

FOLDER = Path(__file__).parents[2] / "benchmarks"
SHARED = ("measuring", "clips", "whole_commands")
BENCHMARKS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in SHARED)
SLOW = (  # ten seconds or more
    *("cold_start", "decoders", "decoding_device", "engines", "export", "features", "gpu", "growth", "label_issues"),
    *("loader", "long_video", "many_classes", "probes", "recipes", "remote", "repeats", "serving", "start_up"),
    "training_step",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in BENCHMARKS]
)
def test_a_benchmark_runs_and_writes_its_numbers(name: str, tmp_path: Path) -> None:
    if name == "loader":
        skip_if_missing("torchcodec")  # it compares the loaders by each decoder
    output = tmp_path / "numbers.json"
    environment = {key: value for key, value in os.environ.items() if key != "VIDCLS_REAL_DATA"}
    more = ["--raft-weights"] if name == "flow_methods" else []
    command = [sys.executable, str(FOLDER / f"{name}.py"), "--quick", "--output", str(output), *more]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(output.read_text())


def test_every_benchmark_is_in_the_list_of_its_folder() -> None:
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}.py`" in listed for name in BENCHMARKS)
    first_lines = {path.stem: path.read_text(encoding="utf-8").splitlines()[0] for path in FOLDER.glob("*.py")}
    assert all(first_lines[name].rstrip('"').rstrip().endswith(("?", ".")) for name in BENCHMARKS)
