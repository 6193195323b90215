"""The scores of a test -> ``test.csv``, ``test.json``, a picture, and a table on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from vidcls.callbacks.last_lines import command_about
from vidcls.callbacks.pictures import draw_confusion_matrix
from vidcls.console import say
from vidcls.files import printable, write_csv
from vidcls.inference import HasParts
from vidcls.loading import VideoDataModule
from vidcls.models.classifier import VideoClassifier
from vidcls.runs.confusions import CONFUSION_COLUMNS, worst_confusions
from vidcls.runs.estimates import estimates
from vidcls.runs.folder import (
    CONFUSION_FIGURE,
    CONFUSION_PAIRS_FILE,
    OTHER_TESTS,
    SCORES_FILE,
    SUMMARY_FILE,
    scores_name,
)
from vidcls.runs.reading import reading
from vidcls.runs.results import ScoredVideos, write_scores
from vidcls.runs.summary import Summary, write_summary
from vidcls.tasks.single_label import TOP5
from vidcls.training.results import MODEL_ROW, VideoScores
from vidcls.types import VideoRecord

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
        write_summary(self.run, summary, {scores.task.hit_metric: scores.hits_by_views()})
        confusion = videos.confusion()
        if confusion is not None:
            draw_confusion_matrix(confusion, scores.class_names, self.run / CONFUSION_FIGURE)
            worst = worst_confusions(confusion, scores.class_names)
            write_csv(self.run / CONFUSION_PAIRS_FILE, [CONFUSION_COLUMNS, *map(astuple, worst)])
        num_known = len({record.group for record in data.records if record.group})
        advice = few_groups(videos.num_groups, num_known, is_folded=data.num_folds is not None)
        print(table_text(table, fusion=fusion, num_videos=len(videos), num_classes=len(scores.class_names)))
        print("\n".join(map(printable, [*reading(videos, found), *advice])))
        for video in scores.unread:
            say(f"{'counted as wrong' if video.counts else 'not counted'}: {video.reason}")
        written = [SCORES_FILE, *map(scores_name, scores.parts), SUMMARY_FILE]
        if confusion is not None:
            table_file = Path(CONFUSION_FIGURE).with_suffix(".csv").name
            written += [CONFUSION_FIGURE, table_file, CONFUSION_PAIRS_FILE]
        say(f"written to {self.run}: {', '.join(written)}")
        if self.run.parent.name != OTHER_TESTS:
            say(f"next: {command_about('report', self.run)}")


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
