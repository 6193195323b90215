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
SHARED = ("measuring", "clips")
BENCHMARKS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in SHARED)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs_and_writes_its_numbers(name: str, tmp_path: Path) -> None:
    if name == "loader":
        skip_if_missing("torchcodec")  # it compares the loaders by each decoder
    output = tmp_path / "numbers.json"
    environment = {key: value for key, value in os.environ.items() if key != "VIDCLS_REAL_DATA"}
    more = ["--raft-weights"] if name == "flow_methods" else []
    subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py"), "--quick", "--output", str(output), *more],
        check=True,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
    )
    assert json.loads(output.read_text())


def test_every_benchmark_is_in_the_list_of_its_folder() -> None:
    listed = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}.py`" in listed for name in BENCHMARKS)
    first_lines = {path.stem: path.read_text(encoding="utf-8").splitlines()[0] for path in FOLDER.glob("*.py")}
    assert all(first_lines[name].rstrip('"').rstrip().endswith(("?", ".")) for name in BENCHMARKS)
