"""A trained model, or its kept scores -> soft targets for the network that is trained."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from tqdm import tqdm

from vidcls.console import say
from vidcls.errors import ConfigurationError, DecodeError, VidclsError, listed
from vidcls.files import cache_folder, write_csv
from vidcls.loading import VideoDataModule
from vidcls.models.classifier import VideoClassifier
from vidcls.models.probe import Probe
from vidcls.predict.open_model import open_model
from vidcls.predict.scoring import VideoScorer
from vidcls.runs.score_files import SCORE_PREFIX
from vidcls.runs.trained_model import checkpoint_of
from vidcls.tasks import Task
from vidcls.training.distillation import DistillationSettings, Teacher
from vidcls.types import VideoRecord

CACHE = "teachers"
FROM_ONE = 1e-2
"""By how much probabilities of classes of which one is right may add up to more or less, as half precision has it."""


class Distillation(Callback):
    """Lets a network learn from the scores of another one for the training videos, in addition to their labels.

    The teacher may be any trained model (a two-stream network, many views, an ensemble, another backbone): before the
    first epoch it scores every training video as its own test would, once; the scores are kept in the cache folder. Or
    a csv file has them. Classes and videos are matched by name. Validation and test use the labels alone, as always.

    Args:
        teacher: a run, ``best``, a checkpoint, an exported file, or a csv file with the columns ``path`` and
            ``p_<class>``, such as the ``--output`` of ``vidcls predict`` has.
        temperature: at which both are softened.
        alpha: weight of the teacher in 0 to 1; the labels have the rest.

    Raises:
        ConfigurationError: there is no such teacher, it knows other classes, or lacks a training video; or the data
            mixes clips, or gives them other classes than their videos have.
    """

    def __init__(self, teacher: str, temperature: float = 2.0, alpha: float = 0.5) -> None:
        self.teacher = teacher
        self.settings = DistillationSettings(temperature, alpha)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Read the scores of the teacher on every process; the first one computes them where they are not kept yet."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not (isinstance(pl_module, VideoClassifier) and isinstance(data, VideoDataModule)):
            raise ConfigurationError("distillation needs a VideoClassifier and a VideoDataModule")
        if data.mixup_alpha or data.cutmix_alpha:
            raise ConfigurationError(
                "distillation has a target for each video, and --data.mixup_alpha and --data.cutmix_alpha mix them: "
                "set both to 0"
            )
        if data.input_settings.transform.changes_labels:
            raise ConfigurationError(
                "distillation has a target for each video, and flip_label_swaps, reverse_labels and speed_labels of "
                "--data.transform give its clips other classes: remove them"
            )
        if isinstance(pl_module, Probe) and pl_module.fits_features:
            raise ConfigurationError("distillation has no effect on heads that are fitted to features: remove it")
        records = data.split("train")
        if trainer.is_global_zero:
            self._scores(records, pl_module.task)
        trainer.strategy.barrier("teacher")
        pl_module.teacher = Teacher(self._scores(records, pl_module.task), pl_module.task, self.settings)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Release the scores of the teacher."""
        if isinstance(pl_module, VideoClassifier):
            pl_module.teacher = None

    def _scores(self, records: Sequence[VideoRecord], task: Task) -> NDArray[np.float64]:
        if Path(self.teacher).suffix.lower() == ".csv":
            return read_teacher(Path(self.teacher), records, task)
        checkpoint = checkpoint_of(self.teacher, option="teacher")
        kept = cache_folder() / CACHE / f"{_digest(checkpoint, records, task)}.csv"
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            model = open_model(checkpoint)
            _check_classes(model.class_names, task.class_names, self.teacher)
            if model.task.name != task.name:
                raise ConfigurationError(
                    f"{self.teacher}: the teacher has the task {model.task.name}, and the data {task.name}: name a "
                    "teacher of the same task"
                )
            say(f"teacher: {self.teacher} scores {len(records)} training videos, kept in {kept}")
            write_csv(kept, _rows(model, records))
        return read_teacher(kept, records, task)


def read_teacher(file: Path, records: Sequence[VideoRecord], task: Task) -> NDArray[np.float64]:
    """The scores ``(N, K)`` of these videos, in their order, with the classes in the order of the task.

    A file of ``vidcls predict`` has paths of files, which are matched by their end: ``walk/1.mp4`` is found as
    ``videos/walk/1.mp4`` where that is the only one.

    Raises:
        ConfigurationError: it cannot be read, has other classes, scores a video twice or not at all, or its scores are
            no probabilities of the task.
    """
    class_names, scores = task.class_names, dict[str, list[float]]()
    try:
        with file.open(newline="", encoding="utf-8") as handle:
            rows = csv.DictReader(handle)
            known = [name.removeprefix(SCORE_PREFIX) for name in rows.fieldnames or () if name.startswith(SCORE_PREFIX)]
            if "path" not in (rows.fieldnames or ()) or not known:
                raise ConfigurationError(f"{file}: expected the columns path and p_<class>, found {rows.fieldnames}")
            _check_classes(known, class_names, str(file))
            for row in rows:
                if row["path"] in scores:
                    raise ConfigurationError(
                        f"{file}:{rows.line_num}: scores {row['path']} a second time: expected one line for each "
                        "training video, as vidcls predict writes without windows"
                    )
                scores[row["path"]] = [float(row[SCORE_PREFIX + name]) for name in class_names]
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise ConfigurationError(f"{file}: cannot be read as the scores of a teacher ({error})") from error
    by_end = _by_end(scores)
    found = [scores.get(record.name) or by_end(record.name) for record in records]
    missing = [record.name for record, row in zip(records, found, strict=True) if row is None]
    if missing:
        raise ConfigurationError(
            f"{file}: lacks {len(missing)} of {len(records)} training videos, the first {missing[0]}: let the teacher "
            "score all of them (vidcls predict TEACHER FOLDER --output scores.csv)"
        )
    table = np.array([row for row in found if row is not None])
    if not (np.isfinite(table).all() and (table >= 0).all() and (table <= 1).all()):
        raise ConfigurationError(f"{file}: has scores that are not probabilities from 0 to 1")
    odd = np.flatnonzero(np.abs(table.sum(axis=1) - 1) > FROM_ONE)
    if task.has_one_class and len(odd):
        raise ConfigurationError(
            f"{file}: the scores of {records[int(odd[0])].name} add up to {table[odd[0]].sum():.3g}: in the task "
            f"{task.name} they must add up to 1; name a teacher of the same task"
        )
    return table


def _by_end(scores: Mapping[str, list[float]]) -> Callable[[str], list[float] | None]:
    paths_of: dict[str, list[str]] = {}  # by the name of the file
    for path in scores:
        paths_of.setdefault(Path(path).name, []).append(path)

    def find(name: str) -> list[float] | None:
        found = [path for path in paths_of.get(Path(name).name, ()) if Path(path).as_posix().endswith(f"/{name}")]
        return scores[found[0]] if len(found) == 1 else None

    return find


def _check_classes(known: Sequence[str], wanted: Sequence[str], teacher: str) -> None:
    if set(known) != set(wanted):
        odd = sorted({*known} ^ {*wanted})
        raise ConfigurationError(
            f"{teacher}: the teacher and the data do not have the same classes: only one of them has {listed(odd)}"
        )


def _rows(model: VideoScorer, records: Sequence[VideoRecord]) -> Iterator[list[object]]:
    yield ["path", *(SCORE_PREFIX + name for name in model.class_names)]
    for record in tqdm(records, desc="teacher", unit="video", leave=False, disable=None):
        try:
            yield [record.name, *(f"{score:.9g}" for score in model(record.source, part=record.part).scores)]
        except DecodeError as error:
            raise ConfigurationError(
                f"the teacher cannot read {record.name} ({error}): leave the video out of the list"
            ) from error


def _digest(checkpoint: Path, records: Sequence[VideoRecord], task: Task) -> str:
    """What tells the scores of a teacher for some videos from others: its file, and names and dates of the videos.

    And the task, so that a teacher of another one is opened, and refused.
    """
    digest = hashlib.sha256(task.name.encode())
    with checkpoint.open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    for record in records:
        stamp: object = None
        with suppress(VidclsError, OSError):
            stamp = record.source.stamp()
        digest.update(f"{record.name}\0{stamp}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:32]
