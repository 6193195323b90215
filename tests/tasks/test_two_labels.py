"""Videos that have two labels or none go the whole way of a clip."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer

from vidcls.callbacks import FitFiles, MetricsLog, ResultFiles
from vidcls.datasets import VideoDataset
from vidcls.datasets.base import checked_records
from vidcls.datasets.entries import Entry
from vidcls.errors import CheckpointError, ConfigurationError, DatasetError
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame, TwoStream, load_classifier
from vidcls.predict import Predictor
from vidcls.report import write_report
from vidcls.runs.run import read_run
from vidcls.runs.summary import by_views
from vidcls.tasks import TASKS, MultiLabel, SingleLabel
from vidcls.types import Batch, ClipSettings

NAME = "multi_label"
LABELS = {"left": ("moves", "to the left"), "right": ("moves",), "still": ()}  # of the clips of the tests, by folder
CLASS_NAMES = ("moves", "to the left")


class TwoLabels(MultiLabel):
    """A task that the package does not know, which means the same."""

    name = "two_labels"


class Clips(VideoDataset):
    """The clips of the tests with the labels of ``LABELS``."""

    def __init__(self, root: Path) -> None:
        entries = []
        for file in sorted(root.rglob("*.avi")):
            split, folder, _ = file.relative_to(root).parts
            classes = LABELS[folder]
            name = file.relative_to(root).as_posix()
            entries.append(Entry(str(file), "|".join(classes), name, split, several=classes))  # type: ignore[arg-type]
        super().__init__(root, checked_records(entries, source=str(root), val_fraction=0.0))


@pytest.fixture
def data(clip_folder: Path) -> VideoDataModule:
    return VideoDataModule(
        Clips(clip_folder),
        task=NAME,
        clip_len=2,
        test_clips=2,
        batch_size=12,
        num_workers=0,
        class_balanced=True,
        mixup_alpha=0.2,
    )


def model_of(data: VideoDataModule) -> SingleFrame:
    torch.manual_seed(0)
    return SingleFrame(class_names=data.class_names, clip=data.clip, task=data.task.name, backbone="small")  # type: ignore[arg-type]


def trainer_in(folder: Path, **settings: object) -> Trainer:
    return Trainer(
        accelerator="cpu",
        logger=MetricsLog(folder),
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        log_every_n_steps=1,
        **settings,  # type: ignore[arg-type]
    )


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_videos_with_two_labels_or_none_are_trained_on_tested_reported_and_predicted(
    data: VideoDataModule, clip_folder: Path, tmp_path: Path
) -> None:
    assert tuple(data.class_names) == CLASS_NAMES
    assert data.class_counts() == [8, 4]
    model = model_of(data)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    fit = trainer_in(tmp_path, max_epochs=1, callbacks=[FitFiles(tmp_path)], enable_checkpointing=False)
    fit.fit(model, datamodule=data)
    assert any(not torch.equal(weight, before[name]) for name, weight in model.named_parameters())
    assert {"val/map", "val/exact_match", "val/loss"} <= fit.callback_metrics.keys()
    assert (tmp_path / "curves.png").is_file()
    checkpoint = tmp_path / "two.ckpt"
    fit.save_checkpoint(checkpoint)

    loaded = load_classifier(checkpoint)
    assert isinstance(loaded.task, MultiLabel)
    with torch.no_grad():
        head = loaded.head[1]  # what is certain: everything moves, and nothing to the left
        head.weight.zero_()
        head.bias.copy_(torch.tensor([3.0, -3.0]))
    certain = tmp_path / "certain.ckpt"
    test = trainer_in(tmp_path, callbacks=[ResultFiles(tmp_path, checkpoint=certain)])
    test.test(loaded, datamodule=data, verbose=False)
    test.save_checkpoint(certain)
    rows = list(csv.DictReader((tmp_path / "test.csv").open()))
    assert {(row["label"], row["prediction"]) for row in rows} == {
        ("moves|to the left", "moves"),
        ("moves", "moves"),
        ("", "moves"),
    }
    run = read_run(tmp_path)
    assert run.videos.labels.shape == (7, 2)
    assert run.videos.measured("exact_match") == pytest.approx(2 / 7)  # those that move to the right
    assert run.summary["table"]["model"]["exact_match"] == pytest.approx(2 / 7)
    assert run.summary["table"]["model"]["map"] == pytest.approx(run.videos.measured("map"))
    assert by_views(run.summary, "exact_match") == pytest.approx([2 / 7, 2 / 7])
    assert not (tmp_path / "test_confusion.png").exists()
    files = write_report(run, tmp_path / "report.html", explainer=None, path_of=lambda _: None)
    assert not {file.name for file in files} & {"confusion.csv", "worst_confusions.csv"}
    assert "exact match" in (tmp_path / "report.html").read_text()

    prediction = Predictor(certain)(clip_folder / "test" / "left" / "0.avi")
    assert (prediction.classes, prediction.label, prediction.caption) == (("moves",), "moves", "moves 0.95")
    assert prediction.scores == pytest.approx(torch.tensor([3.0, -3.0]).sigmoid().tolist())


def test_a_network_of_two_streams_learns_and_counts_two_labels() -> None:
    clip = ClipSettings(clip_len=1, flow_len=2)
    torch.manual_seed(0)
    model = TwoStream(class_names=list(CLASS_NAMES), clip=clip, task=NAME, spatial="small", temporal="small").eval()  # type: ignore[arg-type]
    targets = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    streams = {"rgb": torch.randn(2, 3, 1, 24, 24), "flow": torch.randn(2, 2, 2, 24, 24)}
    batch = Batch(streams=streams, label=targets)
    batch["index"] = torch.arange(2)
    rows = model.scorer.logits(streams, fusions=True)
    assert set(rows) == {"model", "spatial", "temporal", "mean", "product", "weighted"}
    mean = (rows["spatial"].sigmoid() + rows["temporal"].sigmoid()) / 2
    torch.testing.assert_close(rows["mean"].sigmoid(), mean)
    with pytest.warns(UserWarning, match="counts as wrong"):
        model.validation_step({**batch, "unread": [(2, targets[0], "c.mp4: bad")]}, 0)  # type: ignore[typeddict-item]
    predictions = rows["model"] > 0
    expected = float((predictions == targets).all(dim=1).sum()) / 3  # the third could not be read
    assert float(model.val_metrics.compute()["val/exact_match"]) == pytest.approx(expected)


def test_what_needs_one_class_for_each_video_is_refused() -> None:
    with pytest.raises(ValueError, match="fusion svm needs one class for each video, which multi_label has not"):
        TwoStream(class_names=list(CLASS_NAMES), clip=ClipSettings(), task=NAME, fusion="svm")  # type: ignore[arg-type]
    with pytest.raises(DatasetError, match=r"a video has 2 labels \(moves\|to the left\), but the task single_label"):
        SingleLabel(CLASS_NAMES).target(CLASS_NAMES)


def test_a_model_and_data_of_two_tasks_are_refused(data: VideoDataModule, tmp_path: Path) -> None:
    model = SingleFrame(class_names=data.class_names, clip=data.clip, backbone="small")
    with pytest.raises(ConfigurationError, match="the data has the task multi_label, SingleFrame was built for single"):
        trainer_in(tmp_path, max_steps=1, enable_checkpointing=False).fit(model, datamodule=data)


def test_a_checkpoint_of_a_task_that_is_not_there_is_refused_by_name(
    clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as known:
        known.setitem(TASKS, TwoLabels.name, TwoLabels)
        data = VideoDataModule(Clips(clip_folder), task=TwoLabels.name, clip_len=2)  # type: ignore[arg-type]
        trainer = trainer_in(tmp_path, enable_checkpointing=False)
        trainer.strategy.connect(model_of(data))
        trainer.save_checkpoint(tmp_path / "two.ckpt")
    with pytest.raises(CheckpointError, match="there is no task 'two_labels': use single_label, multi_label"):
        load_classifier(tmp_path / "two.ckpt")
