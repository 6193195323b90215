"""The trainings of a run, one for each start -> ``run.json``, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from vidcls.files import write_text
from vidcls.runs.folder import RUN_FILE
from vidcls.settings_file import read_json

KEY = "trainings"


def write_trainings(run: Path, trainings: list[Mapping[str, object]]) -> None:
    """Write ``run.json``."""
    write_text(run / RUN_FILE, json.dumps({KEY: trainings}, indent=2) + "\n")


def read_trainings(run: Path) -> list[Mapping[str, object]]:
    """What ``run.json`` says of each start; nothing where there is no such file or it is damaged."""
    try:
        trainings = read_json(run / RUN_FILE)[KEY]
        return [facts for facts in trainings if isinstance(facts, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        return []
