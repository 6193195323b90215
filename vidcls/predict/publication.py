"""A run -> a repository on the Hugging Face Hub: weights, a model card, and nothing of the videos.

What names folders, videos or the machine of the training stays here, unless the whole run is asked for.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.hub_repository import SCHEME, HubMetric, Repository, model_card, published
from vidcls.models.checkpoint import CheckpointFacts, read_checkpoint
from vidcls.predict.handover import input_text, install_lines, own_classes, write_weights
from vidcls.runs.estimates import estimates
from vidcls.runs.folder import CARD, CHECKPOINTS, CONFUSION_FIGURE, CURVES_FILE, HANDED_OVER, SAFE_WEIGHTS
from vidcls.runs.reading import reading
from vidcls.runs.run import RunFolder, read_run
from vidcls.runs.summary import tested_checkpoint
from vidcls.safe_weights import write_safetensors
from vidcls.trusted_classes import OPTION

FIGURES = (CURVES_FILE, CONFUSION_FIGURE)
_KINDS = {"top1": "accuracy", "top5": "accuracy", "mean_class_accuracy": "accuracy"}  # what the Hub calls metrics
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Publication:
    """What is published.

    Args:
        name: ``user/model`` on the Hub.
        licence: of the weights, as the Hub names it; None where none is given, and nobody may use them.
        dataset: what the videos are called; None for ``unknown``, as their folder tells too much.
        with_run: also the configuration, the scores of each video and what is known of the training.
    """

    name: str
    licence: str | None = None
    dataset: str | None = None
    with_run: bool = False


def publish(
    wanted: Publication, checkpoint: Path, run: Path | None, *, is_private: bool, say: Callable[[str], object]
) -> None:
    """Upload a model; a repository that is there gets a new commit.

    Args:
        wanted: what, and where to.
        checkpoint: the file whose weights are published.
        run: the folder that it lies in; None where it lies elsewhere, so that there are no results.
        is_private: of a repository that is made.
        say: prints a line.

    Raises:
        CheckpointError: the checkpoint cannot be read, or the Hub refuses.
        ConfigurationError: the name is none.
        MissingExtraError: huggingface_hub is not installed.
    """
    repository = Repository.of(wanted.name)
    if repository.revision is not None:
        raise ConfigurationError(f"{wanted.name}: is pushed to its main branch: leave out @{repository.revision}")
    wanted = replace(wanted, name=repository.name)
    with tempfile.TemporaryDirectory(prefix="vidcls_push_") as made:
        folder = Path(made) / "model"
        files = write_repository(wanted, checkpoint, run, folder)
        address = published(folder, wanted.name, is_private=is_private, message="Model from vidcls")
    say(f"pushed: {SCHEME}{wanted.name}: {', '.join(files)}")
    say(f"commit: {address}")
    say(f"to use it: vidcls predict {SCHEME}{wanted.name} VIDEO --allow-remote hf")


def write_repository(wanted: Publication, checkpoint: Path, run: Path | None, folder: Path) -> list[str]:
    """Write the files that are published to a new folder; returns their names.

    Raises:
        CheckpointError: the checkpoint cannot be read.
        ConfigurationError: the folder exists.
    """
    if folder.exists():
        raise ConfigurationError(f"{folder}: already exists: move it away, or choose another name")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        inside = Path(made) / folder.name
        (inside / CHECKPOINTS).mkdir(parents=True)
        weights = inside / CHECKPOINTS / checkpoint.name
        write_weights(checkpoint, weights, with_folders=wanted.with_run)
        facts = read_checkpoint(weights)
        _write_safetensors(facts, inside / SAFE_WEIGHTS)
        for name in HANDED_OVER if wanted.with_run else FIGURES:
            if run is not None and (run / name).is_file():
                shutil.copyfile(run / name, inside / name)
        (inside / CARD).write_text(_card(wanted, facts, run), encoding="utf-8")
        inside.replace(folder)
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _write_safetensors(facts: CheckpointFacts, file: Path) -> None:
    about = {
        "model": facts.class_path,
        "class_names": list(facts.class_names),
        "task": facts.task,
        "arguments": facts.model_arguments,
        "input": facts.input_settings,
        "decision": facts.decision.to_dict(),
    }
    write_safetensors(facts.state_dict, file, about)


def _card(wanted: Publication, facts: CheckpointFacts, run: Path | None) -> str:
    tested = _tested(facts, run)
    name = wanted.name.partition("/")[2]
    model = facts.class_path.rpartition(".")[2]
    dataset = wanted.dataset or _UNKNOWN
    metrics: list[HubMetric] = []
    if tested is not None:
        for found in estimates(tested.videos):
            interval = None if found.interval is None else (found.interval.low, found.interval.high)
            kind = _KINDS.get(found.name.key, found.name.key)
            metrics.append(HubMetric(kind, found.title, found.value, interval))
    sections = [
        f"# {name}",
        f"{model}, a video classifier of {len(facts.class_names)} classes, trained with vidcls.",
        f"Classes: {', '.join(f'`{each}`' for each in facts.class_names)}",
        f"Input: {input_text(facts)}.",
        "## Results",
        *_results(tested),
        "## Data",
        *_data(tested, wanted),
        "## How it was trained",
        *_training(facts, tested),
        "## Use",
        _code([*install_lines(facts), *_use(wanted, facts)]),
        "A video of any other class is given one of these names, too.",
    ]
    tags = ["video-classification", "vidcls", model]
    return model_card(
        "\n\n".join(sections) + "\n",
        name=name,
        licence=wanted.licence,
        tags=tags,
        dataset=dataset,
        metrics=metrics,
    )


def _tested(facts: CheckpointFacts, run: Path | None) -> RunFolder | None:
    """The run, where these weights were tested."""
    if run is None or tested_checkpoint(run) != facts.path.stem:
        return None
    try:
        return read_run(run)
    except (ConfigurationError, CheckpointError):
        return None


def _results(tested: RunFolder | None) -> list[str]:
    if tested is None:
        return ["These weights were not tested."]
    lines = reading(tested.videos, estimates(tested.videos))
    return [_code(lines)]


def _data(tested: RunFolder | None, wanted: Publication) -> list[str]:
    named = f"Trained on: {wanted.dataset}." if wanted.dataset else "The data set is not named."
    if tested is None:
        return [named]
    groups = tested.videos.num_groups
    from_where = "whose groups (persons, places, recordings) are not known" if groups is None else f"of {groups} groups"
    return [f"{named} The test has {len(tested.videos)} videos {from_where}."]


def _training(facts: CheckpointFacts, tested: RunFolder | None) -> list[str]:
    arguments = {name: value for name, value in facts.model_arguments.items() if value is not None}
    lines = [f"{facts.global_step} optimiser steps; arguments of the model:", _code([json.dumps(arguments, indent=2)])]
    last = tested.trainings[-1] if tested is not None and tested.trainings else None
    if last is not None:
        known = {name: last[name] for name in ("epochs", "precision", "num_processes", "seconds") if last.get(name)}
        machine = last.get("machine")
        versions = machine.get("versions") if isinstance(machine, dict) else None
        said = [f"{name.replace('_', ' ')} {value}" for name, value in known.items()]
        if isinstance(versions, dict):
            said += [f"{package} {version}" for package, version in versions.items()]
        lines.append(f"Training: {', '.join(said)}.")
    return lines


def _use(wanted: Publication, facts: CheckpointFacts) -> list[str]:
    allowed = "".join(f" {OPTION} {path.partition('.')[0]}" for path in own_classes(facts))
    return [
        f"vidcls predict {SCHEME}{wanted.name} video.mp4 --allow-remote hf{allowed}",
        f"vidcls pull {wanted.name} {wanted.name.partition('/')[2]}",
    ]


def _code(lines: list[str]) -> str:
    return "\n".join(["```text", *lines, "```"])
