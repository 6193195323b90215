"""Run folders -> the files of a comparison: a table in four forms and two pictures, all numbers beside them.

``comparison.csv``, ``comparison.json``, ``comparison.md``, ``comparison.tex``, ``accuracy_by_cost.png``,
``curves.png``, ``curves.csv``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vidcls.compare.cost import CostRequest, Device, Measure
from vidcls.compare.improving import RULE
from vidcls.compare.latex import as_latex
from vidcls.compare.measured import measured_costs, request_for
from vidcls.compare.plots import curve_points, draw_accuracy_by_cost, draw_curves
from vidcls.compare.results import RunResult, by_model, found_runs, pooled
from vidcls.compare.table import EXACT, ModelRow, Runs, as_csv, as_markdown, as_text, model_row, percent, plain
from vidcls.errors import ConfigurationError
from vidcls.files import write_text
from vidcls.runs.estimates import NUM_DRAWS, Interval
from vidcls.runs.reading import UNKNOWN_GROUPS
from vidcls.runs.results import ScoredVideos
from vidcls.settings_file import read_json
from vidcls.training.machine import Machine, this_machine

JSON_FILE = "comparison.json"


@dataclass(frozen=True)
class Command:
    """A command that made runs of a comparison.

    Args:
        command: as it was typed.
        date: when it began, such as ``2026-11-24T13:30``.
        wall_seconds: how long it took, over all the times that it was given.
        machine: where it ran.
    """

    command: str
    date: str
    wall_seconds: float
    machine: dict[str, object]


def write_comparison(
    folder: Path,
    *,
    command: str,
    date: str,
    wall_seconds: Callable[[], float],
    trains: bool,
    device: Device | None,
    batch_size: int,
    measure: Measure,
    say: Callable[[str], None],
) -> list[str]:
    """Read every run of a folder, measure what is not measured yet, write all files; a line for each problem.

    Args:
        folder: of the comparison.
        command: what the user typed.
        date: when it began.
        wall_seconds: how long it has taken.
        trains: whether the command made runs, and belongs into the record.
        device: where to measure; None takes that of the trainings.
        batch_size: of the throughputs.
        measure: measures the cost of one model.
        say: prints a line.

    Raises:
        ConfigurationError: no run is there, or the runs cannot be compared.
    """
    results, problems = found_runs(folder)
    models, lacking = by_model(results)
    problems += lacking
    if not models:
        reasons = "; ".join(problems) or "no run of vidcls fit lies here or up to two folders below"
        raise ConfigurationError(f"{folder}: nothing to compare yet: {reasons}")
    first_runs = {name: next(iter(seeds.values()))[0] for name, seeds in models.items()}
    requests = {name: request_for(run, device, batch_size) for name, run in first_runs.items()}
    costs, cost_machine, failures = measured_costs(folder, first_runs, requests, measure, say)
    problems += failures
    rows = [model_row(name, seeds, costs.get(name), batch_size=batch_size) for name, seeds in models.items()]
    commands = _commands(folder, Command(command, date, wall_seconds(), this_machine().to_dict()), trains=trains)
    first = next(iter(first_runs.values()))
    chance = first.videos.task.chance
    conditions = {name: _conditions(request) for name, request in requests.items()}
    content = {
        "commands": [asdict(command) for command in commands],
        "class_names": list(first.videos.class_names),
        "chance": chance,
        "still_improving": RULE,
        "cost_machine": cost_machine.to_dict(),
        "cost_conditions": conditions,
        "models": [plain(row) for row in rows],
        "runs": [_run(run) for seeds in models.values() for runs in seeds.values() for run in runs],
        "problems": problems,
    }
    write_text(folder / JSON_FILE, json.dumps(content, indent=2) + "\n")
    write_text(folder / "comparison.csv", as_csv(rows))
    notes = _notes(rows, models, commands, cost_machine, sorted(set(conditions.values())))
    write_text(folder / "comparison.md", as_markdown(rows, notes))
    write_text(folder / "comparison.tex", as_latex(rows, notes))
    draw_accuracy_by_cost(rows, folder / "accuracy_by_cost.png", chance=chance)
    points = {
        name: curve_points(name, [run for runs in seeds.values() for run in runs]) for name, seeds in models.items()
    }
    draw_curves(points, folder / "curves.png", metric=first.videos.task.headline_names()[0], chance=chance)
    say(as_text(rows))
    say(
        f"written to {folder}: comparison.csv, comparison.json, comparison.md, comparison.tex, "
        "accuracy_by_cost.png, curves.png"
    )
    return problems


def _commands(folder: Path, now: Command, *, trains: bool) -> list[Command]:
    """All commands that made these runs; one that was given again counts once, with its time added."""
    file = folder / JSON_FILE
    known = read_json(file)["commands"] if file.is_file() else []
    earlier = [Command(**command) for command in known]
    if not trains:
        return earlier or [now]
    again = [command for command in earlier if (command.command, command.machine) == (now.command, now.machine)]
    seconds = sum(command.wall_seconds for command in again) + now.wall_seconds
    others = [command for command in earlier if command not in again]
    return [*others, Command(now.command, (again or [now])[0].date, round(seconds, 1), now.machine)]


def _conditions(request: CostRequest) -> str:
    return f"on {request.device} in {request.precision}, batches of {request.batch_size}"


def _notes(
    rows: Sequence[ModelRow],
    models: Mapping[str, Runs],
    commands: Sequence[Command],
    cost_machine: Machine,
    conditions: Sequence[str],
) -> list[str]:
    first = next(iter(models.values()))
    folds = len(next(iter(first.values())))
    seeds = "; ".join(
        f"{', '.join(row.model for row in rows if tuple(models[row.model]) == numbers)}: {', '.join(map(str, numbers))}"
        for numbers in sorted({tuple(by_seed) for by_seed in models.values()})
    )
    tested = f"tested on {rows[0].num_test_videos} videos" + (f", {folds} folds pooled" if folds > 1 else "")
    notes = [
        f"Seeds: {seeds}; ± is the sample standard deviation over them; {tested}.",
        *_without_looking(rows, pooled(next(iter(first.values())))),
        f"Costs: for clips of the shape that each model was trained with, {'; '.join(conditions)}; without decoding "
        "and without computing optical flow; latency for one clip, medians.",
        f"Costs measured on: {cost_machine.describe()}.",
    ]
    for command in commands:
        machine = Machine(**command.machine).describe()  # type: ignore[arg-type]
        minutes = f"{command.wall_seconds / 60:.1f} min"
        notes.append(f"`{command.command}` ({command.date}, {minutes}, on {machine})")
    return notes


def _without_looking(rows: Sequence[ModelRow], videos: ScoredVideos) -> list[str]:
    """What the intervals are over, what answers reach that do not depend on the video, and which models may too."""
    over = f"{len(videos)} videos ({UNKNOWN_GROUPS})" if videos.num_groups is None else f"{videos.num_groups} groups"
    lines = [f"95 % interval: of the mean over the seeds, by {NUM_DRAWS} bootstrap draws over {over}."]
    if videos.num_groups == 1:
        lines = ["No 95 % interval: all videos are of one group, from which nothing follows for others."]
    if any(interval and interval.is_exact for row in rows for interval in row.intervals.values()):
        lines.append(
            f"{EXACT} Every draw gave the same value: the exact interval of as many trials as there are groups."
        )
    name, baselines = videos.task.hit_name, videos.task.baselines(videos.labels)
    if baselines:
        reached = {baseline.answer: baseline.values[name.key] for baseline in baselines}
        lines.append(
            f"Without looking at the videos, {name.title}: "
            + ", ".join(f"{answer} {percent(value, None)} %" for answer, value in reached.items())
            + "."
        )
        no_better = [
            row.model for row in rows if (row.intervals[name.key] or Interval(0.0, 1.0)).low <= max(reached.values())
        ]
        if no_better:
            lines.append(f"Not shown to be better than that: {', '.join(no_better)}.")
    return lines


def _run(run: RunResult) -> dict[str, object]:
    return {
        "model": run.name,
        "seed": run.seed,
        "fold": run.fold,
        "folder": str(run.folder),
        "checkpoint": run.checkpoint.name,
        **{key: run.videos.measured(key) for key in run.videos.task.headline},
        "num_test_videos": len(run.videos),
        "epochs": run.num_epochs,
        "training_seconds": run.train_seconds,
        "still_improving": run.improving,
    }
