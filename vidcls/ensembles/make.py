"""Members and a rule -> the folder of a run that answers by all of them: one checkpoint, and the results of a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
import yaml

from vidcls.callbacks.result_files import calibration_line, table_text, write_confusion
from vidcls.ensembles.decision import ChosenDecision, choose_for
from vidcls.ensembles.left_out import LeftOut, left_out_of
from vidcls.ensembles.members import Member, aligned, data_of
from vidcls.ensembles.weights import ChosenWeights, ValidationScores, choose_weights, combined
from vidcls.errors import ConfigurationError
from vidcls.files import printable, write_text
from vidcls.models.ensemble_file import write_ensemble
from vidcls.runs.calibration import before_and_after
from vidcls.runs.estimates import estimates
from vidcls.runs.folder import (
    BEST,
    CONFIG_FILE,
    ENSEMBLE_FILE,
    LEFT_OUT_FILE,
    SCORES_FILE,
    SUMMARY_FILE,
    checkpoint_in,
    checkpoint_name,
    scores_name,
)
from vidcls.runs.reading import reading
from vidcls.runs.results import ScoredVideos
from vidcls.runs.score_files import write_scores
from vidcls.runs.selective import unknown_test
from vidcls.runs.summary import Summary, write_summary
from vidcls.tasks.decision import NO_DECISION
from vidcls.tasks.ensemble import Ensemble, Rule
from vidcls.training.decision_settings import DecisionSettings
from vidcls.training.results import CHUNK
from vidcls.types import MODEL_ROW

MODEL = "Ensemble"
FEW_VIDEOS = 40
"""Validation videos below which one more error in one of them moves the weights visibly."""


def make_ensemble(
    members: Sequence[Member],
    folder: Path,
    *,
    rule: Rule,
    has_chosen_weights: bool,
    settings: DecisionSettings,
    say: Callable[[str], object],
) -> Ensemble:
    """Write the run; its test is computed from the tests of the members, for no network has to run again for that.

    Args:
        members: see :func:`vidcls.ensembles.members.read_members`.
        folder: an empty one.
        rule: mean or product of their probabilities.
        has_chosen_weights: whether the weights are those with the least validation loss; else all are equal.
        settings: what else is chosen on the validation videos.
        say: prints a line.

    Raises:
        ConfigurationError: the validation scores of a member are missing.
        CheckpointError: a checkpoint cannot be used.
    """

    @cache
    def validation() -> ValidationScores:
        return ValidationScores.of(members)

    chosen: ChosenWeights | None = None
    if has_chosen_weights:
        try:
            chosen = choose_weights(validation(), rule)
        except ConfigurationError as error:
            raise ConfigurationError(f"--weights validation: {error}, or pass --weights equal") from error
    first = members[0].run
    ensemble = Ensemble(
        names=tuple(member.name for member in members),
        class_names=first.videos.class_names,
        rule=rule,
        weights=chosen.weights if chosen is not None else (1 / len(members),) * len(members),
        task_name=first.videos.task_name,
    )
    decided = choose_for(members, ensemble, validation, settings)
    ensemble = replace(ensemble, decision=decided.decision)
    checkpoint = checkpoint_in(folder, BEST)
    write_ensemble(checkpoint, ensemble, [member.checkpoint for member in members])
    _write_settings(members, ensemble, chosen, decided, folder)
    rows = {member.name: aligned(member.run.videos, ensemble.class_names, first.videos.paths) for member in members}
    together = combined(ensemble, list(rows.values()))
    left_out = left_out_of(members, ensemble)
    also_written, lines = _write_results(members, ensemble, together, rows, left_out, folder)
    say(f"{len(members)} members, {rule} of their probabilities")
    for name, share in zip(ensemble.names, ensemble.shares, strict=True):
        say(f"  {name}: weight {share:.3f}")
    if chosen is not None:
        say(
            f"  weights chosen on {chosen.num_videos} validation videos: loss {chosen.loss:.4f}, with equal weights "
            f"{chosen.equal_loss:.4f}"
        )
        if chosen.num_videos < FEW_VIDEOS:
            say(f"  hint: fewer than {FEW_VIDEOS} videos are few to choose weights on: prefer --weights equal")
    for line in decided.lines:
        say(f"  {printable(line)}")
    for line in lines:
        say(printable(line))
    written = [checkpoint_name(BEST), ENSEMBLE_FILE, SCORES_FILE, *map(scores_name, rows), SUMMARY_FILE]
    say(f"written to {folder}: {', '.join([*written, *also_written])}")
    return ensemble


def _write_settings(
    members: Sequence[Member],
    ensemble: Ensemble,
    chosen: ChosenWeights | None,
    decided: ChosenDecision,
    folder: Path,
) -> None:
    """Say what it was made of, and what it was tested on, as the configuration of any run says the latter."""
    content = {
        **ensemble.to_dict(),
        "chosen_weights": None if chosen is None else asdict(chosen),
        "chosen_decision": list(decided.lines),
        "members": [
            {"name": member.name, "run": str(member.run.folder), "checkpoint": str(member.checkpoint)}
            for member in members
        ],
    }
    write_text(folder / ENSEMBLE_FILE, json.dumps(content, indent=2) + "\n")
    arguments = {"rule": ensemble.rule, "weights": list(ensemble.weights), "members": list(ensemble.names)}
    settings = {
        "name": folder.name,
        "seed_everything": members[0].settings.get("seed_everything", 0),
        "model": {"class_path": MODEL, "init_args": arguments},
        "data": data_of(members[0]) if members[0].settings else {},
    }
    write_text(folder / CONFIG_FILE, f"# made by vidcls ensemble\n{yaml.safe_dump(settings, sort_keys=False)}")


def _write_results(
    members: Sequence[Member],
    ensemble: Ensemble,
    videos: ScoredVideos,
    rows: dict[str, ScoredVideos],
    left_out: LeftOut | None,
    folder: Path,
) -> tuple[list[str], list[str]]:
    """Write and print what its test says; the names of further files, and lines on what its decision does."""
    first = members[0].run.summary
    unread = members[0].unread
    write_scores(folder / SCORES_FILE, videos, unread=unread)
    for name, of_member in rows.items():
        write_scores(folder / scores_name(name), of_member, unread=unread)
    table = {name: _measured(row) for name, row in {**rows, ensemble.rule: videos, MODEL_ROW: videos}.items()}
    found = estimates(videos)
    summary: Summary = {
        "checkpoint": str(checkpoint_in(folder, BEST)),
        "dataset": first.get("dataset"),
        "model": MODEL,
        "fusion": ensemble.rule,
        "num_videos": len(videos),
        "unread": first.get("unread", []),
        "views_per_video": sum(int(member.run.summary.get("views_per_video", 1)) for member in members),
        "score": "probabilities",
        "task": ensemble.task_name,
        "class_names": list(ensemble.class_names),
        "num_groups": videos.num_groups,
        "num_correct": int(videos.is_correct.sum()),
        "intervals": {e.name.key: e.interval and (e.interval.low, e.interval.high) for e in found},
        "baselines": {b.answer: b.values for b in videos.task.baselines(videos.labels)},
        "table": table,
    }
    if ensemble.task.thresholds is not None:
        summary["thresholds"] = ensemble.task.thresholds.tolist()
    untempered = combined(replace(ensemble, decision=NO_DECISION), list(rows.values()))
    lines = _note_decision(summary, ensemble, videos, untempered, unread, left_out)
    write_summary(folder, summary)
    files = write_confusion(folder, videos)
    if left_out is not None:
        left_out.write(folder)
        files.append(LEFT_OUT_FILE)
    text = table_text(table, fusion=ensemble.rule, num_videos=len(videos), num_classes=len(ensemble.class_names))
    print("\n".join([text, *map(printable, reading(videos, found))]))
    return files, lines


def _note_decision(
    summary: Summary,
    ensemble: Ensemble,
    videos: ScoredVideos,
    untempered: ScoredVideos,
    unread: Container[str],
    left_out: LeftOut | None,
) -> list[str]:
    """Add what the decision does in the test to the summary, as for any run; lines that say it."""
    lines: list[str] = []
    if ensemble.decision.is_tempered:
        temperature, read = ensemble.decision.temperature[MODEL_ROW], videos.without(unread)
        summary["temperature"] = {MODEL_ROW: temperature}
        summary["calibration"] = {}
        if len(read):
            found = before_and_after(untempered.without(unread), read)
            summary["calibration"] = {MODEL_ROW: found}
            lines.append(calibration_line(temperature, found))
    if ensemble.task.has_one_class:
        confidence, names = (None, ()) if left_out is None else (left_out.videos.confidence, left_out.class_names)
        unknown = unknown_test(videos, ensemble.decision.unknown_below, confidence, names)
        if unknown is not None:
            summary["unknown"] = unknown.to_dict()
            lines.append(unknown.line)
    return lines


def _measured(videos: ScoredVideos) -> dict[str, float]:
    scores = torch.from_numpy(np.asarray(videos.scores, dtype=np.float32))
    return videos.task.measured(scores, torch.from_numpy(videos.labels), at_once=CHUNK)
