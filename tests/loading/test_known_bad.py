from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vidcls.checks.cache import CheckCache, CheckedVideo, default_folder
from vidcls.datasets import VideoFolder
from vidcls.errors import DatasetError
from vidcls.loading import VideoDataModule
from vidcls.loading.clip_dataset import ClipKey
from vidcls.loading.known_bad import refuse_known_bad
from vidcls.transforms import TransformSettings
from vidcls.video import open_video
from vidcls.video.health import Health


@pytest.fixture
def clips(clip_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the clips, and a cache of our own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Path(shutil.copytree(clip_folder, tmp_path / "clips"))


def mark(*paths: Path) -> None:
    """Let the cache say that these files crash, though they are intact."""
    cache = CheckCache(default_folder())
    for path in paths:
        status = path.stat()
        cache.add(path, CheckedVideo(status.st_size, status.st_mtime_ns, Health("crash", "ended by SIGSEGV")))
    cache.save()


def module(root: Path, **settings: object) -> VideoDataModule:
    transform = TransformSettings(resize_px=None, crop_px=32, train_crop="center")
    arguments = {"transform": transform, "batch_size": 4, "num_workers": 0} | settings
    return VideoDataModule(VideoFolder(root), **arguments)  # type: ignore[arg-type]


def test_a_training_that_meets_a_known_bad_file_says_so_before_it_starts(clips: Path) -> None:
    mark(clips / "train/left/0.avi", clips / "train/right/1.avi", clips / "test/left/0.avi")
    data = module(clips, bad_test_videos="error")
    with pytest.raises(DatasetError) as caught:
        data.setup("fit")
    message = str(caught.value)
    assert message.startswith(f"{clips}/train/left/0.avi: cannot be used, as an earlier check found (ended by SIGSEGV)")
    assert "and 1 more files: " in message
    assert "--fix_list" in message
    assert "--data.bad_videos skip" in message
    assert "\n" not in message
    with pytest.raises(DatasetError, match=r"test/left/0\.avi"):
        data.setup("test")
    data.setup("validate")


def test_a_known_bad_file_of_the_validation_or_test_is_not_skipped_but_counts_as_wrong(clips: Path) -> None:
    mark(clips / "val/left/0.avi")
    data = module(clips, bad_videos="skip")
    data.setup("fit")
    ((_, label, reason),) = [video for batch in data.val_dataloader() for video in batch.get("unread", ())]
    assert label == data.class_names.index("left")
    assert "val/left/0.avi: is known to be unreadable (ended by SIGSEGV)" in reason
    with pytest.raises(DatasetError, match=r"val/left/0\.avi.*--data.bad_test_videos wrong"):
        module(clips, bad_test_videos="error").setup("fit")


def test_a_file_that_has_changed_since_the_check_is_not_held_against_it(clips: Path) -> None:
    file = clips / "train/left/0.avi"
    mark(file)
    shutil.copy(clips / "train/left/1.avi", file)
    module(clips).setup("fit")


def test_a_skipped_file_is_never_opened_counts_as_skipped_and_leaves_all_other_clips_as_they_were(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = clips / "train/left/0.avi"
    before = module(clips, bad_videos="skip")
    before.setup("fit")
    clips_before = before.train_dataloader().loader.loader.dataset
    mark(file)
    data = module(clips, bad_videos="skip")
    data.setup("fit")

    def opened(path: Path, *rest: object) -> object:
        assert path != file
        return open_video(path, *rest)  # type: ignore[arg-type]

    keys = [ClipKey(0, 0, index) for index in range(len(clips_before))]  # type: ignore[arg-type]
    expected = [clips_before[key] for key in keys]
    monkeypatch.setattr("vidcls.clips.reader.open_video", opened)
    found = [data.train_dataloader().loader.loader.dataset[key] for key in keys]
    assert found[0] == {"skipped": str(file)}
    assert len(found) == len(expected)
    for one, other in zip(found[1:], expected[1:], strict=True):
        assert (one["streams"]["rgb"] == other["streams"]["rgb"]).all()
    skipped = [path for batch in data.train_dataloader() for path in batch.get("skipped", ())]
    assert skipped == [str(file)]


def test_nothing_is_known_where_nothing_was_checked(clips: Path) -> None:
    records = VideoFolder(clips).records
    assert refuse_known_bad(records, bad_videos="error") == {}
    assert not default_folder().exists()
