"""A probe is fitted to features that are computed once: which videos it sees, what it writes, what it refuses."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer, seed_everything

from vidcls.callbacks import ProbeFit, ResultFiles, SkippedVideos
from vidcls.callbacks.first_lines import first_lines
from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError, DatasetError, DecodeError, FeatureError
from vidcls.features import compute
from vidcls.loading import VideoDataModule
from vidcls.models import Probe, TwoStreamProbe
from vidcls.probe import ProbeSettings
from vidcls.transforms import TransformSettings

MakeData = Callable[..., VideoDataModule]
MakeTrainer = Callable[..., Trainer]
CHOICE = ProbeSettings(
    kinds=["logistic"],
    descriptors=["mean", "mean+absdiff+ends"],
    places=["grid"],
    scales=["none"],
    strengths=[0.1, 1.0],
    num_folds=3,
)


def data_of(small_data: MakeData, folder: Path, **settings: object) -> VideoDataModule:
    transform = TransformSettings(stretch=True, crop_px=(24, 32), test_crops=2)
    arguments = {"num_snippets": 4, "clip_len": 1, "transform": transform, "test_batch_size": 4, **settings}
    return small_data(VideoFolder(folder), **arguments)


def probe_of(data: VideoDataModule, kind: type[Probe] = Probe, **arguments: object) -> Probe:
    seed_everything(0)
    return kind(class_names=data.class_names, clip=data.clip, backbone="small", choice=CHOICE, **arguments)  # type: ignore[arg-type]


def fit(make: MakeTrainer, run: Path, model: Probe, data: VideoDataModule, features: Path) -> Trainer:
    callbacks = [ProbeFit(run, features), SkippedVideos(run)]
    trainer = make(run, callbacks=callbacks, max_epochs=1)
    trainer.fit(model, data)
    return trainer


def scores_of(make: MakeTrainer, run: Path, model: Probe, data: VideoDataModule) -> bytes:
    make(run, callbacks=[ResultFiles(run, checkpoint=None)]).test(model, data, verbose=False)
    return (run / "test.csv").read_bytes()


def test_it_sees_no_video_of_the_test_and_the_second_run_computes_nothing(
    clip_folder: Path, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "features"
    data = data_of(small_data, clip_folder)
    model = probe_of(data)
    trainer = fit(small_trainer, tmp_path / "a", model, data, store)
    files = [file.relative_to(store) for file in store.rglob("*.safetensors")]
    assert {file.parts[1] for file in files} == {"train", "val"}
    assert len(files) == 15
    rows = list(csv.DictReader((tmp_path / "a" / "probe.csv").open()))
    assert len(rows) == 4
    assert sum(int(row["weight"]) for row in rows) >= 1
    assert float(rows[0]["mean_class_accuracy"]) >= float(rows[-1]["mean_class_accuracy"])
    assert trainer.global_step == 1
    assert 0 <= float(trainer.callback_metrics["val/top1"]) <= 1
    first = scores_of(small_trainer, tmp_path / "a", model, data)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("features were computed again")

    monkeypatch.setattr(compute, "over_videos", refuse)
    again = probe_of(data)
    fit(small_trainer, tmp_path / "b", again, data, store)
    assert scores_of(small_trainer, tmp_path / "b", again, data) == first


def test_stored_values_that_were_changed_are_refused_by_the_name_of_their_file(
    clip_folder: Path, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    data = data_of(small_data, clip_folder)
    fit(small_trainer, tmp_path / "a", probe_of(data), data, tmp_path / "features")
    file = min((tmp_path / "features").rglob("*.safetensors"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(FeatureError, match=f"{file.name} is damaged"):
        fit(small_trainer, tmp_path / "b", probe_of(data), data, tmp_path / "features")


def test_a_full_folder_for_temporary_files_is_one_line(
    clip_folder: Path, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 63360 vs 63256")

    data = data_of(small_data, clip_folder)
    model = probe_of(data)
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(FeatureError, match=r"unexpected pos 63360.*: make room, or name another folder .* TMPDIR"):
        fit(small_trainer, tmp_path, model, data, tmp_path / "features")


def test_batches_are_no_matter_of_a_probe_on_features(
    clip_folder: Path, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    data = data_of(small_data, clip_folder, batch_size=8)
    model = probe_of(data)
    trainer = fit(small_trainer, tmp_path, model, data, tmp_path / "features")
    assert "leaves out" not in "".join(first_lines(trainer, model, tmp_path))
    model.fits_features = False  # as one that trains on clips
    assert "leaves out" in "".join(first_lines(trainer, model, tmp_path))


def test_validation_videos_join_those_of_the_training_unless_they_are_to_be_kept(
    clip_folder: Path, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    data = data_of(small_data, clip_folder)
    model = probe_of(data, use_val=False)
    fit(small_trainer, tmp_path, model, data, tmp_path / "features")
    assert model.fitted is not None
    assert len(model.fitted.targets) == 12


def test_flow_is_a_second_set_of_features(
    clip_folder: Path, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    data = data_of(small_data, clip_folder, streams=("rgb", "flow"), flow_len=1)
    model = probe_of(data, TwoStreamProbe, flow_backbone="small")
    fit(small_trainer, tmp_path, model, data, tmp_path / "features")
    rows = list(csv.DictReader((tmp_path / "probe.csv").open()))
    assert {row["levels"] for row in rows} == {
        "block2+block4+flow.block2",
        "block2+block4",
        "flow.block2",
    }
    assert len({file.relative_to(tmp_path / "features").parts[0] for file in tmp_path.rglob("*.safetensors")}) == 2
    scores_of(small_trainer, tmp_path, model, data)


@pytest.fixture
def with_a_broken_one(clip_folder: Path, tmp_path: Path) -> Path:
    """The clips, of which one of the training and one of the test cannot be read."""
    folder = tmp_path / "clips"
    shutil.copytree(clip_folder, folder)
    for split in ("train", "test"):
        (folder / split / "left" / "0.avi").write_bytes(b"no video")
    return folder


def test_a_broken_training_video_is_an_error_or_left_out_by_name_and_a_broken_test_video_is_wrong(
    with_a_broken_one: Path, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    data = data_of(small_data, with_a_broken_one)
    with pytest.raises(DecodeError, match=r"1 of 15 training videos cannot.*first train/left/0.avi \(.*skip"):
        fit(small_trainer, tmp_path / "a", probe_of(data), data, tmp_path / "features")
    data = data_of(small_data, with_a_broken_one, bad_videos="skip")
    model = probe_of(data)
    with pytest.warns(UserWarning, match=r"train/left/0.avi: cannot be read and is skipped"):
        fit(small_trainer, tmp_path / "b", model, data, tmp_path / "features")
    assert "train/left/0.avi" in (tmp_path / "b" / "skipped.csv").read_text()
    rows = scores_of(small_trainer, tmp_path / "b", model, data).decode().splitlines()
    broken = next(row for row in rows if "left/0.avi" in row)
    assert broken.split(",")[1:3] == ["left", ""]


def test_a_class_with_one_video_is_one_line(
    clip_folder: Path, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    folder = tmp_path / "clips"
    shutil.copytree(clip_folder, folder)
    for file in [*(folder / "train" / "still").iterdir()][1:]:
        file.unlink()
    shutil.rmtree(folder / "val" / "still")
    data = data_of(small_data, folder, class_names=["left", "right", "still"])
    with pytest.raises(DatasetError, match=r"at least two training videos of each class.*still \(1\)"):
        fit(small_trainer, tmp_path / "run", probe_of(data), data, tmp_path / "features")


def test_several_processes_are_refused(clip_folder: Path, small_data: MakeData, tmp_path: Path) -> None:
    data = data_of(small_data, clip_folder)
    model = probe_of(data)
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.world_size = 2  # type: ignore[misc]
    with pytest.raises(ConfigurationError, match="fitted by one process, not by 2"):
        ProbeFit(tmp_path).setup(trainer, model, "fit")


def test_half_precision_weights_are_refused(clip_folder: Path, small_data: MakeData, tmp_path: Path) -> None:
    data = data_of(small_data, clip_folder)
    trainer = Trainer(
        accelerator="cpu",
        precision="bf16-true",
        logger=False,
        callbacks=[ProbeFit(tmp_path)],
        default_root_dir=tmp_path,
    )
    with pytest.raises(ConfigurationError, match=r"in single precision, not in bf16-true: pass --trainer.precision 32"):
        trainer.fit(probe_of(data), data)


def test_without_the_callback_it_trains_on_clips_as_any_other_model(
    clip_folder: Path, small_data: MakeData, small_trainer: MakeTrainer, tmp_path: Path
) -> None:
    data = data_of(small_data, clip_folder)
    model = probe_of(data, train_on="clips")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    small_trainer(tmp_path, callbacks=[ProbeFit(tmp_path)], max_epochs=1).fit(model, data)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"head.heads.0.linear.weight", "head.heads.0.linear.bias"}
