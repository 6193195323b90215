"""The scores of a test -> ``test.csv``, ``test.json``, a picture, and a table on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.callbacks.last_lines import command_about
from vidcls.callbacks.pictures import draw_confusion_matrix
from vidcls.class_names import label_text
from vidcls.console import say
from vidcls.datasets.record_facts import known_groups
from vidcls.files import printable, write_csv
from vidcls.inference import HasParts
from vidcls.loading import VideoDataModule
from vidcls.models.classifier import VideoClassifier
from vidcls.runs.calibration import before_and_after
from vidcls.runs.confusions import CONFUSION_COLUMNS, worst_confusions
from vidcls.runs.estimates import estimates
from vidcls.runs.folder import (
    CONFUSION_FIGURE,
    CONFUSION_PAIRS_FILE,
    LEFT_OUT_FILE,
    OTHER_TESTS,
    SCORES_FILE,
    SUMMARY_FILE,
    scores_name,
)
from vidcls.runs.reading import reading
from vidcls.runs.results import ScoredVideos
from vidcls.runs.score_files import score_rows, write_scores
from vidcls.runs.selective import UnknownTest, unknown_test
from vidcls.runs.summary import Summary, write_summary
from vidcls.tasks.single_label import TOP5
from vidcls.training.results import VideoScores, read_alone
from vidcls.types import MODEL_ROW, VideoRecord

FEW_GROUPS, NUM_FOLDS = 10, 5
TOP5_SHOWN_CLASSES = 20


class ResultFiles(Callback):
    """Writes what a test found into the run folder and prints the table.

    Files: ``test.csv`` with one line for each video (``path,label,group,prediction,p_<class>...``), one
    ``test_<part>.csv`` for each part of the model, ``test.json`` with the table; where a video has one class,
    ``test_confusion.png`` and ``.csv``, and ``test_worst_confusions.csv`` with the pairs of classes that were confused,
    the most frequent first. A video that could not be read has ``(unread)`` for a prediction and scores that are wrong,
    and counts as wrong; in ``test.json`` the reason stands under ``unread``.

    Args:
        run: the run folder.
        checkpoint: the file that was tested, for the record.
        dataset: what it was tested on, in plain types, for the record.
    """

    def __init__(self, run: Path, *, checkpoint: Path | None, dataset: object = None) -> None:
        self.run = run
        self.checkpoint = checkpoint
        self.dataset = dataset

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write and print, on the first process."""
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not (
            trainer.is_global_zero and isinstance(pl_module, VideoClassifier) and isinstance(data, VideoDataModule)
        ):
            return
        scores = pl_module.test_scores
        assert scores is not None
        records = data.split("test")
        videos = scored_videos(scores, records)
        unread = {records[video.index].name for video in scores.unread}
        write_scores(self.run / scores_name(), videos, unread=unread)
        for row in scores.parts:
            write_scores(self.run / scores_name(row), scored_videos(scores, records, row), unread=unread)
        table, found = scores.table(), estimates(videos)
        fusion: str | None = getattr(pl_module, "fusion", None) if isinstance(pl_module, HasParts) else None
        summary: Summary = {
            "checkpoint": str(self.checkpoint) if self.checkpoint else None,
            "dataset": self.dataset,
            "model": type(pl_module).__name__,
            "fusion": fusion,
            "num_videos": len(videos),
            "unread": [
                {"path": records[video.index].name, "counts_as_wrong": video.counts, "reason": video.reason}
                for video in scores.unread
            ],
            "views_per_video": data.input_settings.num_views,
            "score": pl_module.score_rule,
            "task": scores.task.name,
            "class_names": list(scores.class_names),
            "num_groups": videos.num_groups,
            "num_correct": int(videos.is_correct.sum()),
            "intervals": {e.name.key: e.interval and (e.interval.low, e.interval.high) for e in found},
            "baselines": {b.answer: b.values for b in scores.task.baselines(videos.labels)},
            "table": table,
        }
        if scores.task.thresholds is not None:
            summary["thresholds"] = scores.task.thresholds.tolist()
        if scores.untempered is not None:
            summary["temperature"] = {row: pl_module.decision.temperature.get(row, 1.0) for row in scores.scores}
            summary["calibration"] = _calibrations(read_alone(scores), records)
        unknown = self._unknown(pl_module, data, videos)
        if unknown is not None:
            summary["unknown"] = unknown.to_dict()
        write_summary(self.run, summary, {scores.task.hit_metric: scores.hits_by_views()})
        confusion_files = write_confusion(self.run, videos)
        num_known = known_groups(data.records).num_groups
        advice = few_groups(videos.num_groups, num_known, is_folded=data.num_folds is not None)
        print(table_text(table, fusion=fusion, num_videos=len(videos), num_classes=len(scores.class_names)))
        print("\n".join(map(printable, [*reading(videos, found), *advice])))
        if calibrations := summary.get("calibration"):
            say(calibration_line(pl_module.decision.temperature[MODEL_ROW], calibrations[MODEL_ROW]))
        if unknown is not None:
            say(printable(unknown.line))
        for video in scores.unread:
            say(f"{'counted as wrong' if video.counts else 'not counted'}: {video.reason}")
        written = [SCORES_FILE, *map(scores_name, scores.parts), SUMMARY_FILE, *confusion_files]
        say(f"written to {self.run}: {', '.join(written)}")
        if self.run.parent.name != OTHER_TESTS:
            say(f"next: {command_about('report', self.run)}")

    def _unknown(self, model: VideoClassifier, data: VideoDataModule, videos: ScoredVideos) -> UnknownTest | None:
        found, confidence = model.left_out_scores, None
        if found is not None:
            unlabelled = scored_videos(found, data.left_out)
            labels = [label_text(data.left_out[int(index)].classes) for index in found.indices]
            write_csv(self.run / LEFT_OUT_FILE, score_rows(unlabelled, labels=labels))
            confidence = unlabelled.confidence
        if not model.task.has_one_class:
            return None
        return unknown_test(videos, model.decision.unknown_below, confidence, data.left_out_classes)


def calibration_line(temperature: float, found: Mapping[str, Mapping[str, float]]) -> str:
    """What a temperature changed in a test."""
    before, after = found["before"], found["after"]
    changes = [
        f"{name} {before[key]:.3f} -> {after[key]:.3f}"
        for key, name in (("ece", "calibration error"), ("nll", "negative log-likelihood"), ("brier", "Brier score"))
    ]
    return f"temperature {temperature:.3f}, fitted on held-out videos: {', '.join(changes)}"


def _calibrations(scores: VideoScores, records: Sequence[VideoRecord]) -> dict[str, dict[str, dict[str, float]]]:
    """Of each row, before and after its temperature; none where no video was read."""
    if scores.untempered is None or not len(scores.indices):
        return {}
    before = replace(scores, scores=scores.untempered)
    return {
        row: before_and_after(scored_videos(before, records, row), scored_videos(scores, records, row))
        for row in scores.scores
    }


def write_confusion(folder: Path, videos: ScoredVideos) -> list[str]:
    """Write what was taken for what, as a figure and as csv files; the names of the files.

    None where a video may have several classes.
    """
    counts = videos.confusion()
    if counts is None:
        return []
    draw_confusion_matrix(counts, videos.class_names, folder / CONFUSION_FIGURE)
    worst = worst_confusions(counts, videos.class_names)
    write_csv(folder / CONFUSION_PAIRS_FILE, [CONFUSION_COLUMNS, *map(astuple, worst)])
    return [CONFUSION_FIGURE, Path(CONFUSION_FIGURE).with_suffix(".csv").name, CONFUSION_PAIRS_FILE]


def few_groups(num_tested: int | None, num_known: int, *, is_folded: bool) -> list[str]:
    """What helps where a test has so few groups that little follows from it.

    Args:
        num_tested: groups in the test; None where none is known.
        num_known: groups of the whole data set.
        is_folded: whether the test is one of several folds already.
    """
    if num_tested is None or num_tested >= FEW_GROUPS or num_known < NUM_FOLDS or is_folded:
        return []
    folds = f"--data.num_folds {NUM_FOLDS} --data.fold 0 to {NUM_FOLDS - 1}"
    return [
        f"few groups: {NUM_FOLDS} folds test every video: fit and test with {folds}, or vidcls compare --num_folds "
        f"{NUM_FOLDS}"
    ]


def scored_videos(scores: VideoScores, records: Sequence[VideoRecord], row: str = MODEL_ROW) -> ScoredVideos:
    """One row of the scores of a test with the names of its videos.

    Args:
        scores: of the test.
        records: the list of test videos.
        row: ``model``, or one of its streams or fusions.
    """
    tested = [records[int(index)] for index in scores.indices]
    return ScoredVideos(
        class_names=tuple(scores.class_names),
        paths=tuple(record.name for record in tested),
        labels=scores.labels.numpy(),
        groups=tuple(record.group or "" for record in tested),
        scores=scores.scores[row].numpy(),
        task_name=scores.task.name,
        thresholds=scores.task.thresholds,
        parts=tuple(record.part for record in tested) if any(record.part for record in tested) else (),
    )


def table_text(
    table: Mapping[str, Mapping[str, float]],
    *,
    fusion: str | None,
    num_videos: int,
    num_classes: int | None = None,
    command: str = "test",
) -> str:
    """The table for a terminal: a line for each part and each fusion; the model's own answer is marked.

    Of fewer than 20 classes the right one is nearly always among the first five, which is left out.
    """
    is_easy = num_classes is not None and num_classes < TOP5_SHOWN_CLASSES
    columns = [column for column in table[MODEL_ROW] if not (is_easy and column == TOP5.key)]
    widths = {column: max(8, len(column) + 2) for column in columns}
    head = f"{'':<12}" + "".join(f"{column:>{widths[column]}}" for column in columns)

    def numbers(row: str) -> str:
        return f"{row:<12}" + "".join(f"{table[row][column]:>{widths[column]}.4f}" for column in columns)

    lines = [f"{command} on {num_videos} videos", head]
    for row in table:
        if row == MODEL_ROW and fusion is not None:
            continue
        mark = "  <- the model's answer" if row == fusion else ""
        lines.append(numbers(row) + mark)
    if fusion is not None and fusion not in table:
        lines.append(numbers(MODEL_ROW))
    return "\n".join(lines)
