"""A command -> the seconds of its whole process; and an untrained checkpoint for it to read."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lightning.pytorch import Trainer

from vidcls.clips import InputSettings
from vidcls.models import VideoClassifier

VIDCLS = ("-c", "from vidcls.cli import entry; entry()")


def seconds(*words: str) -> Callable[[], float]:
    """Measures Python with these words, from its start to its end."""
    program = [sys.executable, *words]

    def measure() -> float:
        start = time.perf_counter()
        subprocess.run(program, check=True, capture_output=True)
        return time.perf_counter() - start

    return measure


def saved(model: VideoClassifier, settings: InputSettings, checkpoint: Path) -> Path:
    """The checkpoint of a model that nobody trained."""
    model.input_settings = settings.to_dict()
    trainer = Trainer(max_epochs=0, logger=False, accelerator="cpu", enable_checkpointing=False)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(checkpoint)
    return checkpoint
