"""The folders of runs -> members of an ensemble, once it is sure that they answer the same question."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from vidcls.errors import ConfigurationError, listed
from vidcls.models.checkpoint import read_checkpoint
from vidcls.runs.folder import BEST, CONFIG_FILE, VALIDATION_FILE, name_and_start
from vidcls.runs.held_out import HeldOut, read_held_out
from vidcls.runs.results import ScoredVideos, collated
from vidcls.runs.run import RunFolder, read_run
from vidcls.settings_file import section, settings_in
from vidcls.tasks import task_of
from vidcls.tasks.decision import NO_DECISION, Decision
from vidcls.types import MODEL_ROW

RESERVED = (MODEL_ROW, "mean", "product")  # rows of the table that are no member


@dataclass(frozen=True)
class Member:
    """A run that was trained and tested.

    Args:
        name: in the ensemble: that of its folder.
        run: what its files say.
        checkpoint: the file that was tested.
        settings: its configuration.
        decision: what it chose on its validation videos, such as a temperature.
    """

    name: str
    run: RunFolder
    checkpoint: Path
    settings: dict[str, object]
    decision: Decision = NO_DECISION

    @cached_property
    def unread(self) -> frozenset[str]:
        """Test videos that it could not read."""
        return frozenset(video["path"] for video in self.run.summary.get("unread", ()))

    @cached_property
    def held_out(self) -> HeldOut:
        """What ``validation.csv`` keeps: the videos of its validation, with the scores of its network.

        Raises:
            ConfigurationError: there is no such file, it is damaged, or of another checkpoint than the tested one.
        """
        folder = self.run.folder
        again = f"vidcls validate --run {folder} --ckpt_path {BEST}"
        if self.checkpoint.stem != BEST:
            raise ConfigurationError(
                f"{folder}: was tested with {self.checkpoint.name}, and validation scores are kept for best.ckpt: test "
                f"that (vidcls test --run {folder} --ckpt_path best)"
            )
        found = read_held_out(folder)
        if found is None:
            raise ConfigurationError(f"{folder}: has no {VALIDATION_FILE} to choose on: {again} writes it")
        return found

    def validated(self) -> ScoredVideos:
        """The same videos with its scores as its test has them, at its temperature.

        Raises:
            ConfigurationError: as of :attr:`held_out`.
        """
        videos = self.held_out.videos
        scores = self.decision.applied({MODEL_ROW: videos.scores}, videos.task)[MODEL_ROW]
        return replace(videos, scores=scores)


def read_members(folders: Sequence[Path]) -> list[Member]:
    """The runs in these folders.

    Raises:
        ConfigurationError: one is there twice, was not tested or has lost its checkpoint, or two of them differ in the
            task, the set of classes or the list of test videos.
    """
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        raise ConfigurationError("an ensemble has two runs or more, each once: pass RUN RUN ...")
    members: list[Member] = []
    for folder in folders:
        run = read_run(folder)
        if run.checkpoint is None:
            raise ConfigurationError(
                f"{folder}: the checkpoint that was tested ({run.summary.get('checkpoint')}) is gone: test it again"
            )
        settings = settings_in(run.config_text, folder / CONFIG_FILE) if run.config_text else {}
        name = _free_name(name_and_start(folder)[0], [member.name for member in members])
        members.append(Member(name, run, run.checkpoint, settings, read_checkpoint(run.checkpoint).decision))
    for other in members[1:]:
        _check_same(members[0], other)
    return members


def aligned(videos: ScoredVideos, class_names: Sequence[str], paths: Sequence[str]) -> ScoredVideos:
    """The same scores with classes and videos in another order, or of some of the videos."""
    place_of = {path: place for place, path in enumerate(videos.paths)}
    places = np.array([place_of[path] for path in paths])
    columns = np.array([videos.class_names.index(name) for name in class_names])
    task, found = task_of(videos.task_name, class_names), videos.at(places)
    return replace(
        found,
        class_names=tuple(class_names),
        labels=collated([task.target(found.task.classes_of(label)) for label in found.labels]),
        scores=found.scores[:, columns],
        thresholds=None if found.thresholds is None else found.thresholds[..., columns],
    )


def labels_by_path(videos: ScoredVideos) -> dict[str, tuple[str, ...]]:
    """The classes of each video by its name, whatever their order."""
    return {
        path: tuple(sorted(videos.task.classes_of(label)))
        for path, label in zip(videos.paths, videos.labels, strict=True)
    }


def data_of(member: Member) -> dict[str, object]:
    """The section of its configuration that says what it was tested on."""
    return section(member.settings, "data", member.run.folder / CONFIG_FILE)


def _check_same(first: Member, other: Member) -> None:
    one, two = first.run.videos, other.run.videos
    both = f"{other.run.folder} and {first.run.folder}"
    if one.task_name != two.task_name:
        raise ConfigurationError(f"{both}: have the tasks {two.task_name} and {one.task_name}: pass runs of one task")
    if set(one.class_names) != set(two.class_names):
        odd = sorted({*one.class_names} ^ {*two.class_names})
        raise ConfigurationError(
            f"{both}: only one of them knows the classes {listed(odd)}: pass runs that were trained on the same classes"
        )
    labels, others = labels_by_path(one), labels_by_path(two)
    if labels.keys() != others.keys():
        odd = sorted(labels.keys() ^ others.keys())
        raise ConfigurationError(
            f"{both}: were tested on {len(others)} and {len(labels)} videos, {len(odd)} of them only in one test (the "
            f"first is {odd[0]}): test them on the same list"
        )
    odd = sorted(path for path in labels if labels[path] != others[path])
    if odd:
        raise ConfigurationError(f"{both}: {odd[0]} has another label in one test: test them again on the same list")
    unread = sorted(first.unread ^ other.unread)
    if unread:
        raise ConfigurationError(f"{both}: {unread[0]} could be read in one test alone: test both again")


def _free_name(wanted: str, taken: Sequence[str]) -> str:
    """A name for a member that is also that of a file: its own, with a number behind it where another has it."""
    name = re.sub(r"[^\w.+-]", "_", wanted).strip(".") or "member"
    for number in range(1, len(taken) + 3):
        found = name if number == 1 else f"{name}_{number}"
        if found not in taken and found not in RESERVED:
            return found
    raise AssertionError("more names are taken than there are")
