"""Whatever is wrong with what was given: one line that says what and where, status 2, and nothing left behind."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from vidcls.datasets import VideoFolder
from vidcls.errors import DecodeError
from vidcls.flow import FlowSettings
from vidcls.flow.precompute import precompute
from vidcls.jobs import local_pool

Command = Callable[..., object]
ONE_EPOCH = ("--trainer.max_epochs", "1", "--data.batch_size", "12")


class RunsCode:
    """What a pickle of an attacker looks like: reading it makes a file."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("code_was_run",)


@pytest.fixture(scope="session")
def flow_store(clip_dataset: VideoFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stored flow of all clips."""
    store = tmp_path_factory.mktemp("flow") / "store"
    precompute(clip_dataset.records, store, FlowSettings(), pool=local_pool(1))
    return store


def nothing_was_left(folder: Path, *given: str) -> bool:
    return {path.name for path in folder.iterdir()} <= set(given)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("two_steam", "two_steam: unknown option, or a value without one; did you mean --config two_stream?"),
        ("--data.nope 3", "--data.nope: unknown option; vidcls COMMAND --help lists them"),
        ("--data.batchsize 3", "--data.batchsize: unknown option; did you mean --data.batch_size?"),
        ("--trainer.max_epoch 3", "--trainer.max_epoch: unknown option; did you mean --trainer.max_epochs?"),
        ("--ckpt_pat last", "--ckpt_pat: unknown option; did you mean --ckpt_path?"),
        ("--model.dropot 0.1", "model.dropot: unknown option; did you mean dropout?"),
        ("--model.optimization.learn_rate 1", "unknown option; OptimizationSettings takes optimizer, lr"),
        ("--data.dataset.rot x", "data.dataset.rot: unknown option; did you mean root?"),
        ("positional", "positional: unknown option"),
        ("--data.batch_size three", "data.batch_size: expected a whole number, got 'three'"),
        ("--data.fold x", "data.fold: expected a whole number, got 'x'"),
        ("--data.class_names x", "data.class_names: expected a list, got 'x'"),
        ("--data.transform.crop_px x", "data.transform.crop_px: expected a whole number or a list, got 'x'"),
        ("--data.dataset.val_fraction x", "data.dataset.val_fraction: expected a number, got 'x'"),
        ("--model.optimization.lr fast", "model.optimization.lr: expected a number, got 'fast'"),
        ("--model.fusion max", "model.fusion: expected one of 'mean', 'product', 'weighted', 'svm', got 'max'"),
        ("--data.decoder ffmpeg", "data.decoder: expected one of 'decord', 'torchcodec', 'pyav', 'jpeg', got 'ffmpeg'"),
        ("--save_every_n_steps 0", "save_every_n_steps: expected a whole number above 0, got '0'"),
        ("--model NoNet", "model: there is no class 'NoNet'"),
        ("--model SingelFrame", "there is no class 'SingelFrame': did you mean SingleFrame? else pass one of ours"),
        ("--data.dataset VideoFoldr", "there is no class 'VideoFoldr': did you mean VideoFolder?"),
        ("--trainer.callbacks+=LayerStatistic", "there is no class 'LayerStatistic': did you mean LayerStatistics?"),
        ("--config two_steam", "x3d); did you mean two_stream?"),
        ("--model gone.NoNet", "model: gone.NoNet cannot be used: No module named 'gone'"),
        ("--model vidcls.loading.VideoDataModule", "model: vidcls.loading.VideoDataModule is not a VideoClassifier"),
        ("--data.dataset NoSet", "data.dataset: there is no class 'NoSet'"),
        ("--data.dataset VideoCsv", "data.dataset.path is missing: pass --data.dataset.path"),
        ("--trainer.callbacks+=NoCallback", "trainer.callbacks: there is no class 'NoCallback'"),
        ("--model.spatial resnet19", "unknown backbone 'resnet19': did you mean resnet18?"),
        ("--model.optimization.schedule steps", "milestones belong to schedule: steps"),
        ("--model.loss.class_weights {nope: 2}", "loss.class_weights names 'nope', which is no class"),
        ("--model.loss.balanced true --model.loss.class_weights {left: 2}", "exclude each other"),
        ("--data.transform.crop_px -3", "crop_px must be at least 1, got -3"),
        ("--data.num_folds 3", "num_folds and fold belong together"),
        ("--data.num_folds 3 --data.fold 3", "fold 3 is not one of the 3 folds"),
        ("--monitor val/nope", "--monitor val/nope: is not measured: use one of val/loss, val/mean_class_accuracy"),
        ("--trainer.devices 0", "Trainer(devices='0')"),
        ("--config nope", "--config nope: no such file, and no shipped configuration of that name"),
        (
            "--data nope",
            "--data nope: no such file, and no shipped configuration of that name (there are: cvat, fiftyone, hmdb51",
        ),
        ("--trainer nope", "--trainer nope: no such file, and no shipped configuration of that name (there are: ddp"),
        ("--config", "--config: expected one argument"),
        ("--run clips.csv", "clips.csv: the run folder cannot be made"),
        ("--run full", "--run full: is not empty: go on in it with --ckpt_path last, or name a new folder"),
        ("--trainer.default_root_dir clips.csv", "the run folder cannot be made"),
        ("--ckpt_path last", "runs/tiny: no run here has a checkpoint last.ckpt"),
        (
            "--ckpt_path gone.ckpt",
            "--ckpt_path gone.ckpt: no such file or folder: pass best, last, runs/NAME, the folder",
        ),
        ("--data.flow gone", "no flow at gone: the folder is not there"),
        ("--data.flow full", "no flow at full: the folder lies there, but has neither"),
        ("--data.dataset.root gone", "gone does not exist"),
        ("--data empty", "for a folder of videos: --data video_folder --data.dataset.root empty"),
        ("--data clips.csv", "for a list of videos: --data video_csv --data.dataset.path clips.csv"),
        ("empty", "empty: unknown option, or a value without one; for a folder of videos: --data.dataset.root empty"),
        ("--data.dataset.root empty", "no videos in"),
        ("--data.dataset VideoCsv --data.dataset.path gone.csv", "no csv file at gone.csv"),
        ("--data.dataset VideoCsv --data.dataset.path clips.csv", "clips.csv:1: no column path or label; found a, b"),
    ],
)
def test_a_training_that_cannot_start_says_why(
    vidcls: Command, tiny: Path, tmp_path: Path, words: str, message: str
) -> None:
    (tmp_path / "clips.csv").write_text("a,b\nc,d\n")
    (tmp_path / "full" / "inner").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    given = [word.replace("_", " ") if word.startswith("{") else word for word in words.replace(": ", ":_").split()]
    assert message in vidcls("fit", "--config", tiny, *given).refusal()
    assert nothing_was_left(tmp_path, "clips.csv", "full", "empty")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("flow_len", "flow_length", "--data.flow_length: unknown option; did you mean --data.flow_len?"),
        ("spatial", "spacial", "model.spacial: unknown option; did you mean spatial?"),
        ("max_epochs", "max_epoch", "--trainer.max_epoch: unknown option; did you mean --trainer.max_epochs?"),
        ("crop_px", "crop", "data.transform.crop: unknown option; did you mean crop_px?"),
        ("trainer:", "trainr:", "unknown option; did you mean --trainer?"),
        ("seed_everything", "sed_everything", "--sed_everything: unknown option; did you mean --seed_ever"),
        ("lr: 0.05", "lr: fast", "model.optimization.lr: expected a number, got 'fast'"),
        ("root: ", "root: [", "mine.yaml: cannot be read as YAML"),
        ("class_path: TwoStream", "class_path: TwoStreams", "model: there is no class 'TwoStreams'"),
    ],
)
def test_a_misspelt_configuration_is_corrected(
    vidcls: Command, tiny: Path, tmp_path: Path, before: str, after: str, message: str
) -> None:
    (tmp_path / "mine.yaml").write_text(tiny.read_text().replace(before, after))
    assert message in vidcls("fit", "--config", "mine.yaml").refusal()
    assert nothing_was_left(tmp_path, "mine.yaml")


@pytest.mark.parametrize("content", [b"", b"just text", b"- 1\n- 2\n", b"\xb5\xff\x00"])
@pytest.mark.parametrize("option", ["--config", "--data", "--trainer"])
def test_a_file_that_is_no_configuration_is_named(
    vidcls: Command, tiny: Path, tmp_path: Path, option: str, content: bytes
) -> None:
    (tmp_path / "mine.yaml").write_bytes(content)
    line = vidcls("fit", "--config", tiny, option, "mine.yaml").refusal()
    assert "mine.yaml: expected keys with values" in line or "mine.yaml: cannot be read as YAML" in line


def test_without_a_model_or_a_data_set_there_is_nothing_to_train(vidcls: Command, tmp_path: Path) -> None:
    for words in ((), ("--data.batch_size", "2")):
        line = vidcls("fit", *words).refusal()
        assert re.search(r"no model given: add --config FILE \(shipped: .*single_frame, .*two_stream.*\)", line)
    assert "data.dataset is missing: pass --data.dataset" in vidcls("fit", "--model", "TwoStream").refusal()
    assert nothing_was_left(tmp_path)


def test_one_class_is_not_a_classification(vidcls: Command, tiny: Path, clip_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(clip_folder / "train" / "left", tmp_path / "clips" / "train" / "left")
    assert "only one class, 'left'" in vidcls("fit", "--config", tiny, "--data.dataset.root", "clips").refusal()


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize("part", ["train", "val"])
def test_a_corrupt_video_ends_the_training_with_its_name(
    vidcls: Command, tiny: Path, clip_folder: Path, tmp_path: Path, num_workers: int, part: str
) -> None:
    bad = shutil.copytree(clip_folder, tmp_path / "clips") / part / "left" / "0.avi"
    bad.write_bytes(b"no video")
    data = ["--data.dataset.root", tmp_path / "clips", "--data.num_workers", num_workers]
    data += ["--data.bad_test_videos", "error"]
    line = vidcls("fit", "--config", tiny, *ONE_EPOCH, *data).refusal()
    assert line.startswith(f"vidcls: error: {bad}: cannot be decoded (decord: ")
    assert nothing_was_left(tmp_path, "clips")


def test_a_run_that_has_a_checkpoint_stays_when_a_later_video_cannot_be_read(
    vidcls: Command, tiny: Path, clip_folder: Path, tmp_path: Path
) -> None:
    bad = shutil.copytree(clip_folder, tmp_path / "clips") / "train" / "left" / "0.avi"
    bad.write_bytes(b"no video")
    words = ["--data.batch_size", "1", "--save_every_n_steps", "1", "--run", "mine"]
    assert str(bad) in vidcls("fit", "--config", tiny, "--data.dataset.root", "clips", *words).refusal()
    assert (tmp_path / "mine" / "checkpoints" / "last.ckpt").is_file()


def test_a_corrupt_validation_video_counts_as_wrong_whatever_is_skipped_in_training(
    vidcls: Command, tiny: Path, clip_folder: Path, tmp_path: Path, rows_of: Callable[[Path], list[dict[str, str]]]
) -> None:
    shutil.copytree(clip_folder, tmp_path / "clips")
    for bad in ("left", "right", "still"):
        (tmp_path / "clips/val" / bad / "0.avi").write_bytes(b"no video")
    words = ["--data.dataset.root", "clips", "--data.bad_videos", "skip", *ONE_EPOCH]
    with pytest.warns(UserWarning, match=r"val/left/0.avi: cannot be decoded.*: counts as wrong"):
        assert vidcls("fit", "--config", tiny, *words, "--run", "mine").status == 0
    scores = [row["val/top1"] for row in rows_of(tmp_path / "mine/metrics.csv") if row["val/top1"]]
    assert [float(score) for score in scores] == [0.0]


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_corrupt_test_video_is_named_and_counts_as_wrong_unless_it_is_left_out(
    vidcls: Command,
    run: Path,
    clip_folder: Path,
    tmp_path: Path,
    rows_of: Callable[[Path], list[dict[str, str]]],
    num_workers: int,
) -> None:
    words = ("test", "--run", run, "--data.dataset.root", "clips", "--data.num_workers", num_workers)
    results = run / "tests" / "clips"
    bad = shutil.copytree(clip_folder, tmp_path / "clips") / "test" / "left" / "0.avi"
    assert vidcls(*words).status == 0
    before, whole = rows_of(results / "test.csv"), json.loads((results / "test.json").read_text())
    bad.write_bytes(b"no video")
    said = vidcls(*words).out
    assert f"counted as wrong: {tmp_path / 'clips'}" in said or "counted as wrong: clips/test/left/0.avi" in said
    after, found = rows_of(results / "test.csv"), json.loads((results / "test.json").read_text())
    place = [row["path"] for row in before].index("test/left/0.avi")
    assert after[place]["prediction"] == "(unread)"
    assert float(after[place]["p_left"]) == 0
    assert after[:place] + after[place + 1 :] == before[:place] + before[place + 1 :]
    num_right = round(7 * whole["table"]["model"]["top1"]) - (before[place]["prediction"] == "left")
    assert found["table"]["model"]["top1"] == pytest.approx(num_right / 7)
    assert [(video["path"], video["counts_as_wrong"]) for video in found["unread"]] == [("test/left/0.avi", True)]
    assert "not counted: " in vidcls(*words, "--data.bad_test_videos", "leave_out").out
    assert rows_of(results / "test.csv") == before[:place] + before[place + 1 :]
    left_out = json.loads((results / "test.json").read_text())
    assert left_out["table"]["model"]["top1"] == pytest.approx(num_right / 6)
    assert (left_out["num_videos"], left_out["unread"][0]["counts_as_wrong"]) == (6, False)
    assert "0.avi: cannot be decoded" in vidcls(*words, "--data.bad_test_videos", "error").refusal()


def test_a_test_without_a_readable_video_is_an_error(
    vidcls: Command, run: Path, clip_folder: Path, tmp_path: Path
) -> None:
    for video in shutil.copytree(clip_folder, tmp_path / "clips").glob("test/*/*.avi"):
        video.write_bytes(b"no video")
    line = vidcls("test", "--run", run, "--data.dataset.root", "clips").refusal()
    assert "none of the test videos could be read, 7 in all; the first: " in line
    assert not list(run.rglob("test.csv"))


def test_more_bad_training_videos_than_the_stated_share_are_an_error(
    vidcls: Command, tiny: Path, clip_folder: Path, tmp_path: Path
) -> None:
    for video in shutil.copytree(clip_folder, tmp_path / "clips").glob("train/*/[01].avi"):  # 6 of 12
        video.write_bytes(b"no video")
    words = ["fit", "--config", tiny, "--data.dataset.root", "clips", "--data.bad_videos", "skip", *ONE_EPOCH]
    with pytest.warns(UserWarning, match="skipped in the training"):
        line = vidcls(*words).refusal()
    assert re.search(
        r"of 12 training videos cannot be read, the last .*avi: more than --data.max_bad_share \(0.1\)", line
    )
    with pytest.warns(UserWarning, match="skipped in the training"):
        assert vidcls(*words, "--data.max_bad_share", "0.5").status == 0


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_corrupt_training_video_is_left_out_by_name_where_that_was_chosen(
    vidcls: Command,
    tiny: Path,
    clip_folder: Path,
    tmp_path: Path,
    rows_of: Callable[[Path], list[dict[str, str]]],
    num_workers: int,
) -> None:
    bad = shutil.copytree(clip_folder, tmp_path / "clips") / "train" / "left" / "0.avi"
    bad.write_bytes(b"no video")
    data = ["--data.dataset.root", "clips", "--data.num_workers", num_workers, "--data.bad_videos", "skip"]
    with pytest.warns(UserWarning, match="0.avi: cannot be read and is skipped in the training"):
        assert vidcls("fit", "--config", tiny, *data, "--run", "mine").status == 0
    assert rows_of(tmp_path / "mine" / "skipped.csv") == [{"path": str(bad), "first_epoch": "0", "times": "2"}]
    counts = [row["train/skipped_videos"] for row in rows_of(tmp_path / "mine" / "metrics.csv")]
    assert [float(count) for count in counts if count] == [1, 1]
    assert vidcls("test", "--run", "mine").status == 0  # the support vector machine did without it too


def test_a_video_shorter_than_a_clip_is_refused_where_that_was_chosen(
    vidcls: Command, tiny: Path, tmp_path: Path
) -> None:
    line = vidcls("fit", "--config", tiny, "--data.short_videos", "error", "--data.clip_len", "9").refusal()
    assert "0.avi: the video has 8 frames, a clip of 9 frames" in line
    assert nothing_was_left(tmp_path)


def test_stored_flow_gives_the_scores_of_computed_flow(vidcls: Command, run: Path, flow_store: Path) -> None:
    assert vidcls("test", "--run", run).status == 0
    computed = (run / "test.csv").read_bytes()
    assert vidcls("test", "--run", run, "--data.flow", flow_store).status == 0
    assert (run / "test.csv").read_bytes() == computed


def test_flow_of_another_kind_is_refused(vidcls: Command, tiny: Path, tmp_path: Path, flow_store: Path) -> None:
    words = ["--data.flow", flow_store, "--data.flow_settings.bound_px", "10"]
    line = vidcls("fit", "--config", tiny, *words).refusal()
    assert f"{flow_store}: holds flow of dis, bound 20 px" in line
    assert "flow_settings asks for dis, bound 10 px" in line
    assert nothing_was_left(tmp_path)


def test_a_video_without_stored_flow_is_named(vidcls: Command, tiny: Path, flow_store: Path, tmp_path: Path) -> None:
    (stored,) = shutil.copytree(flow_store, tmp_path / "store").glob("train/left/1.*")
    stored.unlink()
    assert "train/left/1.avi" in vidcls("fit", "--config", tiny, *ONE_EPOCH, "--data.flow", "store").refusal()
    assert nothing_was_left(tmp_path, "store")


def test_flow_of_a_video_that_has_changed_since_is_refused(
    vidcls: Command, tiny: Path, clip_folder: Path, tmp_path: Path, flow_store: Path
) -> None:
    clips = shutil.copytree(clip_folder, tmp_path / "clips")
    shutil.copy(clips / "train" / "right" / "0.avi", clips / "train" / "left" / "0.avi")
    words = ["--data.flow", flow_store, "--data.dataset.root", "clips"]
    assert "train/left/0.avi" in vidcls("fit", "--config", tiny, *ONE_EPOCH, *words).refusal()


@pytest.mark.parametrize("command", ["test", "validate", "fit"])
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "mine.ckpt: is not a readable checkpoint"),
        ("nothing", "mine.ckpt: is not a readable checkpoint"),
        ("half", "mine.ckpt: is not a readable checkpoint"),
        ("pickle", "mine.ckpt: is not a readable checkpoint"),
        ("code", "mine.ckpt: holds more than tensors and plain values, which could run code, and is refused"),
        ("tensors", "mine.ckpt: was not written by vidcls"),
        ("module gone", "mine.ckpt: its model gone.Net cannot be imported (No module named 'gone')"),
        ("no model", "mine.ckpt: vidcls.loading.VideoDataModule is not a VideoClassifier"),
        ("argument", "model.foo: unknown option"),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(
    vidcls: Command, tiny: Path, trained: Path, tmp_path: Path, kind: str, message: str, command: str
) -> None:
    file, good = tmp_path / "mine.ckpt", trained / "checkpoints" / "best.ckpt"
    content = torch.load(good, weights_only=True)
    if kind == "text":
        file.write_text("hello")
    elif kind == "nothing":
        file.touch()
    elif kind == "half":
        file.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    elif kind == "pickle":
        file.write_bytes(pickle.dumps(RunsCode()))
    elif kind == "code":
        torch.save({**content, "vidcls": RunsCode()}, file)
    elif kind == "tensors":
        torch.save({"weight": torch.zeros(3)}, file)
    elif kind == "module gone":
        torch.save({**content, "vidcls": {**content["vidcls"], "class_path": "gone.Net"}}, file)
    elif kind == "no model":
        torch.save({**content, "vidcls": {**content["vidcls"], "class_path": "vidcls.loading.VideoDataModule"}}, file)
    elif kind == "argument":
        torch.save({**content, "hyper_parameters": {**content["hyper_parameters"], "foo": 1}}, file)
    words = ("--allow-class", "gone") if kind == "module gone" else ()
    assert message in vidcls(command, "--config", tiny, "--ckpt_path", file, *words).refusal()
    assert nothing_was_left(tmp_path, "mine.ckpt")


def test_debug_shows_the_whole_traceback(vidcls: Command, tiny: Path, tmp_path: Path, clip_folder: Path) -> None:
    bad = shutil.copytree(clip_folder, tmp_path / "clips") / "train" / "left" / "0.avi"
    bad.write_bytes(b"no video")
    for words in (["--debug", "fit"], ["fit", "--debug"]):
        with pytest.raises(DecodeError, match=r"0\.avi"):
            vidcls(*words, "--config", tiny, "--data.dataset.root", "clips")


def test_a_mistake_of_a_class_of_ones_own_keeps_its_traceback(vidcls: Command, tiny: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(tiny.read_text())
    (tmp_path / "breaking.py").write_text(
        "from lightning.pytorch import Callback\n"
        "class Breaks(Callback):\n"
        "    def on_train_start(self, trainer, pl_module):\n"
        "        raise ValueError('mine')\n"
    )
    content["trainer"]["callbacks"] = [{"class_path": "breaking.Breaks"}]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match="mine"):
        vidcls("fit", "--config", "mine.yaml", "--allow-class", "breaking")
