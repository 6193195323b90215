"""The models of a comparison -> the cost of each, measured alternately on one machine and kept in ``costs.json``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from vidcls.compare.cost import Cost, CostRequest, Device, Measure, joined
from vidcls.compare.results import RunResult
from vidcls.compare.settings import LINKED, first_difference, section
from vidcls.errors import VidclsError
from vidcls.files import write_text
from vidcls.settings_file import read_json
from vidcls.training.machine import Machine, this_machine

COSTS_FILE = "costs.json"
NUM_ROUNDS = 2  # each model once, then each once more: a machine that slows down slows all of them
CLIP = ("num_snippets", "clip_len", "flow_len")


def request_for(run: RunResult, device: Device | None, batch_size: int) -> CostRequest:
    """What is measured for a model: on the given device, or on that of its training."""
    trainer = section(run.settings, "trainer")
    return CostRequest(
        checkpoint=str(run.checkpoint),
        device=device or _device_of(trainer.get("accelerator")),
        precision=str(trainer.get("precision") or "32-true"),
        batch_size=batch_size,
    )


def measured_costs(
    folder: Path,
    runs: Mapping[str, RunResult],
    requests: Mapping[str, CostRequest],
    measure: Measure,
    say: Callable[[str], None],
) -> tuple[dict[str, Cost], Machine, list[str]]:
    """The cost of each model, the machine of the measurements, and a line for each model that could not be measured.

    What an earlier call measured for the same models and settings is taken from ``costs.json``; where something is
    missing on another machine than that, all are measured again, since only numbers of one machine compare.

    Args:
        folder: of the comparison.
        runs: a run of each model.
        requests: what to measure for it.
        measure: measures one request.
        say: prints a line of progress.
    """
    subjects = {name: _subject(run, requests[name]) for name, run in runs.items()}
    machine, kept = _read(folder / COSTS_FILE, subjects)
    here = this_machine()
    if machine is None or (machine != here and len(kept) < len(runs)):
        machine, kept = here, {}
    missing = [name for name in runs if name not in kept]
    found: dict[str, list[Cost]] = {name: [] for name in missing}
    failures: dict[str, str] = {}
    for number in range(1, NUM_ROUNDS + 1):
        for name in missing:
            if name not in failures:
                say(f"measuring {name} on {requests[name].device}, round {number} of {NUM_ROUNDS}")
                try:
                    found[name].append(measure(requests[name]))
                except VidclsError as error:
                    failures[name] = f"{name}: its cost could not be measured: {error}"
    costs = kept | {name: joined(each) for name, each in found.items() if each and name not in failures}
    content = {
        "machine": machine.to_dict(),
        "models": {name: {"subject": subjects[name], "cost": asdict(cost)} for name, cost in costs.items()},
    }
    write_text(folder / COSTS_FILE, json.dumps(content, indent=1) + "\n")
    return {name: costs[name] for name in runs if name in costs}, machine, list(failures.values())


def _subject(run: RunResult, request: CostRequest) -> dict[str, object]:
    """All that a cost depends on besides the machine."""
    model = section({"model": run.settings.get("model")}, "model")
    data = section(run.settings, "data")
    transform = data.get("transform")
    crop_px = transform.get("crop_px") if isinstance(transform, Mapping) else None
    how = {name: value for name, value in asdict(request).items() if name != "checkpoint"}
    clip = {name: data.get(name) for name in CLIP}
    return {"model": model, **clip, "crop_px": crop_px, "num_classes": len(run.videos.class_names), **how}


def _read(file: Path, subjects: Mapping[str, dict[str, object]]) -> tuple[Machine | None, dict[str, Cost]]:
    if not file.is_file():
        return None, {}
    content = read_json(file)
    kept = {
        name: Cost(**content["models"][name]["cost"])
        for name, subject in subjects.items()
        if name in content["models"] and _is_same(content["models"][name]["subject"], subject)
    }
    return Machine(**content["machine"]), kept


def _is_same(one: object, other: object) -> bool:
    weights = [f"model.init_args.{name}" for name in ("weights", "spatial_weights", "temporal_weights")]
    return first_difference(one, other, free=(*LINKED, *weights)) is None


def _device_of(accelerator: object) -> Device:
    import torch

    if accelerator in ("gpu", "cuda"):
        return "cuda"
    return "cuda" if accelerator in ("auto", None) and torch.cuda.is_available() else "cpu"
