"""The words of fit, validate and test -> where they work: the name, the folder and the checkpoint. Imports no torch."""

from __future__ import annotations

import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from vidcls.cli.linked import refuse_linked
from vidcls.cli.shipped_configs import shipped_names
from vidcls.cli.words import CONFIG, Words
from vidcls.console import say
from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.launched import is_first_process
from vidcls.packed_file import why_packed
from vidcls.remote import place_of
from vidcls.runs.folder import BEST, DEFAULT_ROOT, LAST, check_name
from vidcls.runs.run_copy import fetch_run
from vidcls.runs.trained_model import POSSIBLE, checkpoint_of, holds_runs, run_in

RUN = ("--run", "--run_dir")  # torchrun takes the first as a beginning of its own --run-path
COPY = "--copy_run"
SECONDS_TO_FETCH = 1800.0  # that the first process of a training has to bring a run back
PLACES = ("--ckpt_path", *RUN, "--name", "--trainer.default_root_dir")  # which say where a command works


@dataclass(frozen=True)
class Places:
    """Where a command works.

    Args:
        root: the folder of all runs.
        name: the name of the run, where one is given or follows from the configuration.
        run: the folder that was asked for with ``--run``.
        checkpoint: the file to start from; None where a new model is trained.
    """

    root: Path
    name: str | None
    run: Path | None
    checkpoint: Path | None


def places_of(command: str, words: Words) -> Places:
    """Find the folders and the checkpoint that the words mean.

    Raises:
        CheckpointError: the checkpoint or the run does not exist, or is no checkpoint.
        ConfigurationError: a file or a value is missing, or the words contradict each other.
    """
    words.require_values(*CONFIG, "--data", *PLACES, COPY)
    refuse_linked(words)
    configs = [word.file for word in words if word.option in CONFIG]
    name: object = words.last("--name")
    if name is None:
        name = words.in_files("name")
    if name is None:
        name = next((Path(file).stem for file in configs if not file.startswith("{")), None)
    if name is not None:
        check_name(str(name))
        name = str(name)
    root = Path(words.last("--trainer.default_root_dir") or _root_in(words) or DEFAULT_ROOT)
    run = Path(given) if (given := words.last(*RUN)) else None
    wanted = words.last("--ckpt_path") or words.in_files("ckpt_path")
    if wanted is None and command != "fit" and run is not None:
        wanted = BEST
    if wanted is not None and run is not None:
        if (copy := words.last(COPY)) is not None and not run.exists():
            _bring_back(run, copy)
        run = _existing(run)
    checkpoint = None
    if wanted is not None:
        assert name is None or isinstance(name, str)
        checkpoint = checkpoint_of(
            str(wanted),
            root=root,
            name=name,
            run=run,
            of_folder=LAST if command == "fit" else BEST,
            option="--ckpt_path",
        )
        if (packed := why_packed(checkpoint)) is not None:
            raise CheckpointError(f"{checkpoint}: {packed}")
        if not zipfile.is_zipfile(checkpoint):  # what torch.save writes
            raise CheckpointError(f"{checkpoint}: is not a readable checkpoint (damaged, or a file of another kind)")
    elif not model_of(words) and not _names_model(words):
        if words.in_files("model") is not None:
            raise ConfigurationError(
                "the section model names no class: put the file behind a configuration that does, as in --config "
                "late_fusion --config FILE, or add class_path to it"
            )
        if command != "fit":
            raise ConfigurationError(f"{command} needs a checkpoint: pass --ckpt_path best|last|FILE, or --run DIR")
        raise ConfigurationError(f"no model given: add --config FILE (shipped: {shipped_names()}), or --model NAME")
    return Places(root, name, run, checkpoint)


def model_of(words: Words) -> str:
    """The class of the model that the command line names, without its module; empty where it names none."""
    return (words.last("--model", "--model.class_path") or "").rpartition(".")[2]


def _names_model(words: Words) -> bool:
    """Whether a configuration names the class of the model."""
    return any(found.get("class_path") for _, found in words.sections("model")) or isinstance(
        words.in_files("model"), str
    )


def _existing(run: Path) -> Path:
    if (packed := why_packed(run)) is not None:
        raise CheckpointError(f"--run {run}: {packed}")
    if not run.is_dir():
        raise CheckpointError(f"--run {run}: no such folder: pass {POSSIBLE.partition(', last, ')[2]}")
    return run_in(run) if holds_runs(run) else run


def _bring_back(run: Path, copy: str) -> None:
    """Fetch a run from its copy, by the first process of a training; the others wait for it."""
    place = place_of(copy)
    if is_first_process():
        say(f"--run {run}: brought back from {copy}: {fetch_run(place, run)} files")
        return
    deadline = time.monotonic() + SECONDS_TO_FETCH
    while not run.exists() and time.monotonic() < deadline:
        time.sleep(0.5)


def _root_in(words: Words) -> str | None:
    """The folder of all runs that a file names."""
    roots = [str(found) for _, section in words.sections("trainer") if (found := section.get("default_root_dir"))]
    return roots[-1] if roots else None
