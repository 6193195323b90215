"""Every configuration that ships is read by the real parser, and every complete one runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from jsonargparse import Namespace

from vidcls.cli import training
from vidcls.cli.shipped_configs import configs_folder

Command = Callable[..., object]
COMPLETE = sorted(configs_folder().glob("*.yaml"))
ON_BUILT_IN_DATA = [path for path in COMPLETE if "MovingShapes" in path.read_text()]
OF_PAPERS = sorted(configs_folder().glob("paper/*.yaml"))
DATA = sorted(configs_folder().glob("data/*.yaml"))
TRAINER = sorted(configs_folder().glob("trainer/*.yaml"))
NUM_SMALL = {"audio_visual": 16, "multi_label": 49, "three_stream": 16}  # clips of a scene in all ways; else 8
QUICK = ["--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1", "--trainer.max_epochs=1"]
QUIET = ["--data.num_workers=0", "--data.batch_size=4", "--trainer.enable_progress_bar=false"]


class Parsed(Exception):
    """The configuration is as far as it goes without making anything."""


@pytest.fixture
def parse(vidcls: Command, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Namespace]:
    """Reads the arguments of a training as the command does, and stops before anything is made of them."""

    def stop(self: training.VidclsCLI) -> None:
        raise Parsed(self.config["fit"])

    monkeypatch.setattr(training.VidclsCLI, "instantiate_classes", stop)

    def parsed(*words: str) -> Namespace:
        with pytest.raises(Parsed) as found:
            vidcls("fit", *words)
        return found.value.args[0]

    return parsed


FOR_OWN_VIDEOS = {"finetune", "late_fusion_imagenet", "probe", "single_frame_imagenet", "two_stream_probe"}


def test_there_are_configurations_of_every_kind() -> None:
    assert {path.stem for path in ON_BUILT_IN_DATA} == {
        "audio_visual",
        "conv3d",
        "early_fusion",
        "late_fusion",
        "movinet",
        "multi_label",
        "recurrent_conv",
        "single_frame",
        "slow_fusion",
        "slowfast",
        "three_stream",
        "tsm",
        "two_stream",
        "two_stream_fusion",
        "x3d",
    }
    assert {path.stem for path in COMPLETE} - {path.stem for path in ON_BUILT_IN_DATA} == FOR_OWN_VIDEOS
    assert {path.stem for path in DATA} >= {"video_folder", "video_csv", "ucf101", "hmdb51", "moving_shapes"}
    assert {path.stem for path in TRAINER} >= {"gpu", "ddp", "wandb"}


@pytest.mark.parametrize("file", [*COMPLETE, *OF_PAPERS], ids=lambda file: file.stem)
def test_a_complete_configuration_is_read(parse: Callable[..., Namespace], file: Path) -> None:
    config = parse("--config", str(file))
    assert config.data.dataset.class_path.startswith("vidcls.datasets.")
    assert set(config.data.streams) >= {"rgb"}
    if file.parent == configs_folder():
        assert parse("--config", file.stem).model == config.model
        assert parse("--config", f"configs/{file.name}").model == config.model


@pytest.mark.parametrize("file", DATA, ids=lambda file: file.stem)
def test_a_data_section_is_read_beside_a_model(parse: Callable[..., Namespace], file: Path) -> None:
    dataset = parse("--config", "two_stream", "--data", file.stem).data.dataset
    assert dataset.class_path.rpartition(".")[2].lower() == file.stem.replace("_", "")
    assert parse("--config", "two_stream", "--data", str(file)).data.dataset == dataset


@pytest.mark.parametrize("file", TRAINER, ids=lambda file: file.stem)
def test_a_trainer_section_is_read_beside_a_model(parse: Callable[..., Namespace], file: Path) -> None:
    plain = parse("--config", "two_stream")
    config = parse("--config", "two_stream", "--trainer", file.stem)
    assert config.trainer != plain.trainer
    assert config.data == plain.data


@pytest.mark.parametrize("file", ON_BUILT_IN_DATA, ids=lambda file: file.stem)
def test_a_complete_configuration_trains_a_step_and_is_tested(vidcls: Command, file: Path, tmp_path: Path) -> None:
    num_clips = NUM_SMALL.get(file.stem, 8)
    small = [f"--data.dataset.num_{part}={num_clips}" for part in ("train", "val", "test")]
    assert vidcls("fit", "--config", file.stem, *small, *QUICK, *QUIET).status == 0
    (run,) = (tmp_path / "runs" / file.stem).iterdir()
    assert vidcls("test", "--config", file.stem, "--ckpt_path", "best", *small, *QUIET).status == 0
    assert len((run / "test.csv").read_text().splitlines()) == 1 + num_clips


@pytest.mark.parametrize("file", OF_PAPERS, ids=lambda file: file.stem)
def test_the_model_of_a_papers_configuration_takes_its_clips(vidcls: Command, file: Path) -> None:
    outcome = vidcls("summary", str(file))
    assert outcome.status == 0, outcome.err
    assert "multiply-adds for one clip: " in outcome.out
