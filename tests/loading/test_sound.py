"""Videos with and without sound are loaded and counted; what would lose or spoil sound is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from every_model import small
from lightning.pytorch import Trainer
from sound_files import tone, write_with_sound

from vidcls.callbacks import SoundlessVideos
from vidcls.datasets import VideoFolder
from vidcls.errors import ConfigurationError, DatasetError
from vidcls.explain import Explainer
from vidcls.live.live import check_deaf
from vidcls.loading import VideoDataModule
from vidcls.models import AudioVisual
from vidcls.transforms import TransformSettings
from vidcls.types import AUDIO, RGB
from vidcls.video import write_video

STREAMS = (RGB, AUDIO)
SMALL = TransformSettings(resize_px=24, crop_px=24, flip_probability=0.0)


@pytest.fixture(scope="module")
def with_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of two videos in each split; one training and one test video has no sound."""
    root = tmp_path_factory.mktemp("videos")
    frames = np.zeros((10, 3, 32, 32), np.uint8)
    for split in ("train", "val", "test"):
        for label, hertz in (("high", 2000.0), ("low", 500.0)):
            folder = root / split / label
            folder.mkdir(parents=True)
            for number in (0, 1):
                path = folder / f"{number}.mp4"
                if (label, number) == ("low", 1) and split != "val":
                    write_video(path, frames + number)
                    continue
                times = [k / 25 for k in range(10 + number)]
                write_with_sound(path, tone(hertz, seconds=0.5, rate_hz=16_000), frame_seconds=times, rate_hz=16_000)
    return root


def module(root: Path, **more: object) -> VideoDataModule:
    chosen = {"streams": STREAMS, "batch_size": 2, "test_batch_size": 2, "num_workers": 0, "transform": SMALL, **more}
    return VideoDataModule(VideoFolder(root), **chosen)  # type: ignore[arg-type]


def trainer(folder: Path) -> Trainer:
    return Trainer(
        default_root_dir=folder,
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[SoundlessVideos()],
    )


@pytest.mark.filterwarnings("ignore")
def test_videos_without_sound_are_trained_on_tested_and_counted_once(
    with_sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    data = module(with_sound)
    model = small(AudioVisual, data.class_names, data.clip)
    run = trainer(tmp_path)
    with caplog.at_level("INFO"):
        run.fit(model, data)
        run.test(model, data, verbose=False)
    said = caplog.text + "".join(capsys.readouterr())
    alone = "(KIND/low/1.mp4): the other streams answer them alone"
    assert said.count(f"sound: 1 of 4 training videos have none {alone.replace('KIND', 'train')}") == 1
    assert said.count(f"sound: 1 of 4 test videos have none {alone.replace('KIND', 'test')}") == 1
    assert model.test_scores is not None
    run.save_checkpoint(tmp_path / "model.ckpt")
    with pytest.raises(ConfigurationError, match="AudioVisual also hears, and there are no heat maps"):
        Explainer(tmp_path / "model.ckpt")


def test_where_no_video_of_a_split_has_sound_one_line_says_so(with_sound: Path, tmp_path: Path) -> None:
    root = tmp_path / "videos"
    shutil.copytree(with_sound, root)
    for path in (root / "test").rglob("*.mp4"):
        shutil.copy(with_sound / "test" / "low" / "1.mp4", path)
    data = module(root)
    data.setup("fit")
    with pytest.raises(DatasetError, match=r"none of the 4 videos of the test split has sound") as error:
        data.setup("test")
    assert "\n" not in str(error.value)


def test_training_on_copies_and_mixing_are_refused(with_sound: Path) -> None:
    with pytest.raises(ConfigurationError, match="prepare: auto trains on copies without sound"):
        module(with_sound, prepare="auto")
    for name in ("mixup_alpha", "cutmix_alpha"):
        with pytest.raises(ConfigurationError, match="mix pictures, and this model also hears"):
            module(with_sound, **{name: 0.2})


def test_a_live_stream_is_refused() -> None:
    check_deaf((RGB,))
    with pytest.raises(ConfigurationError, match="windows of a live stream have no sound"):
        check_deaf(STREAMS)
