"""Commands about videos and flow start without the training framework, which takes seconds to import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vidcls.cli.data_source import DEFAULT_MODEL, DEFAULT_STREAMS
from vidcls.models.build import import_class

HEAVY = {"lightning", "torchmetrics", "wandb", "transformers"}
PROGRAM = """
import json, sys
from vidcls.cli import main
status = main(sys.argv[1:])
print(json.dumps({"status": status, "imported": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


@pytest.mark.parametrize(
    "words",
    [
        ["data", "check", "CLIPS", "--num_workers", "1"],
        ["data", "prepare", "CLIPS", "small", "--num_workers", "1"],
        ["flow", "--folder", "CLIPS/val", "--output", "flow", "--num_workers", "1"],
        ["flow", "show", "CLIPS/val/left/0.avi", "--output", "flow.png"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_command_about_videos_imports_no_training_framework(
    words: list[str], clip_folder: Path, tmp_path: Path
) -> None:
    given = [word.replace("CLIPS", str(clip_folder)) for word in words]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, *given], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    said = json.loads(process.stdout.splitlines()[-1])
    assert said["status"] in (0, 1)
    assert "vidcls" in said["imported"]
    assert not HEAVY & {*said["imported"]}


def test_the_streams_of_the_default_model_are_those_that_are_assumed() -> None:
    assert import_class(f"vidcls.models.{DEFAULT_MODEL}").streams == DEFAULT_STREAMS
