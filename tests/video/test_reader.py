"""``open_video``: which decoder reads, what is counted, and what an error says."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch

from vidcls.errors import DecodeError, MissingExtraError
from vidcls.video import BACKENDS, DecoderFallbackWarning, MemoryReader, open_video, write_video
from vidcls.video.decord_reader import DecordReader
from vidcls.video.health import examine


class FailsToOpen(MemoryReader):
    def __init__(self, _: Path) -> None:
        raise DecodeError("will not open")


class FailsToRead(MemoryReader):
    def __init__(self, _: Path) -> None:
        super().__init__(torch.zeros(10, 3, 4, 4, dtype=torch.uint8), fps=10)

    def pixels(self, indices):
        raise DecodeError("will not read")


class IsMissing(MemoryReader):
    def __init__(self, _: Path) -> None:
        raise MissingExtraError("not installed; run: pip install it")


class GivesFewer(FailsToRead):
    def pixels(self, indices):
        return np.zeros((len(indices) - 1, 3, 4, 4), dtype=np.uint8)


class Works(MemoryReader):
    def __init__(self, _: Path) -> None:
        super().__init__(torch.arange(10).byte()[:, None, None, None].expand(10, 3, 4, 4), fps=20)


class IsShorter(MemoryReader):
    def __init__(self, _: Path) -> None:
        super().__init__(torch.zeros(5, 3, 4, 4, dtype=torch.uint8))


@pytest.fixture
def path(tmp_path) -> Path:
    (tmp_path / "clip.mp4").write_bytes(b"not looked at")
    return tmp_path / "clip.mp4"


@pytest.fixture
def backends(monkeypatch):
    """Put other readers in the place of the three, in their order."""

    def put(*readers) -> None:
        for name, reader in zip(list(BACKENDS), readers, strict=True):
            monkeypatch.setitem(BACKENDS, name, reader)

    return put


def test_a_sound_file_is_read_by_the_first_without_a_warning(backends, path) -> None:
    backends(Works, FailsToOpen, FailsToOpen)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with open_video(path) as video:
            assert video.frames([4, 2])[:, 0, 0, 0].tolist() == [4, 2]
    assert (video.backend, video.fallbacks) == ("decord", 0)


def test_where_the_first_cannot_open_the_next_one_reads_and_it_is_counted(backends, path) -> None:
    backends(FailsToOpen, Works, FailsToOpen)
    with pytest.warns(DecoderFallbackWarning, match=r"clip\.mp4.*torchcodec instead of decord.*will not open"):
        video = open_video(path)
    with video:
        assert video.frames([3])[0, 0, 0, 0] == 3
        assert (video.backend, video.fallbacks) == ("torchcodec", 1)


def test_where_the_first_cannot_read_the_next_one_does(backends, path) -> None:
    backends(FailsToRead, IsMissing, Works)
    with open_video(path) as video:
        assert video.fallbacks == 0
        with pytest.warns(DecoderFallbackWarning, match="pyav instead of decord.*will not read.*pip install it"):
            assert video.frames([3])[0, 0, 0, 0] == 3
        assert video.frames([5])[0, 0, 0, 0] == 5  # stays with the one that works
        assert (video.backend, video.fallbacks) == ("pyav", 1)


def test_the_number_of_frames_does_not_change_with_the_decoder(backends, path) -> None:
    backends(FailsToRead, Works, Works)
    with open_video(path) as video:
        with pytest.warns(DecoderFallbackWarning):
            video.frames([0])
        assert (video.num_frames, video.fps) == (10, 10)  # Works alone would say 20 fps
        assert (video.info.num_frames, video.info.fps) == (10, 10)


@pytest.mark.parametrize(("first", "reason"), [(GivesFewer, r"gave \(1, 3, 4, 4\)"), (IsShorter, "5 frames only")])
def test_a_decoder_that_hands_back_too_little_has_failed(backends, path, first, reason) -> None:
    backends(FailsToRead, first, FailsToOpen)
    with open_video(path) as video, pytest.raises(DecodeError, match=reason):
        video.frames([1, 7])


def test_all_failing_is_one_error_with_the_file_and_each_reason(backends, path) -> None:
    backends(FailsToOpen, IsMissing, FailsToRead)
    with pytest.warns(DecoderFallbackWarning):
        video = open_video(path)
    with pytest.raises(DecodeError) as caught:
        video.frames([0])
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "decord: will not open" in message
    assert "torchcodec: not installed" in message
    assert "pyav: will not read" in message


def test_after_a_failure_of_all_other_frames_can_still_be_read(backends, path) -> None:
    class FailsFromFive(Works):
        def pixels(self, indices):
            if max(indices) >= 5:
                raise DecodeError("damaged")
            return super().pixels(indices)

    backends(FailsFromFive, FailsFromFive, FailsFromFive)
    with open_video(path) as video:
        with pytest.raises(DecodeError, match="decord: damaged; torchcodec: damaged; pyav: damaged"):
            video.frames([5])
        assert video.frames([4])[0, 0, 0, 0] == 4
        assert (video.backend, video.fallbacks) == ("decord", 0)


def test_a_backend_that_is_named_is_the_only_one_tried(backends, path) -> None:
    backends(Works, FailsToOpen, Works)
    with pytest.raises(DecodeError, match=r"clip\.mp4: cannot be decoded \(torchcodec: will not open\)"):
        open_video(path, "torchcodec")


def test_a_backend_that_is_named_and_missing_says_how_to_install_it(backends, path) -> None:
    backends(Works, IsMissing, Works)
    with pytest.raises(MissingExtraError, match="pip install it"):
        open_video(path, "torchcodec")


@pytest.mark.parametrize(("module", "backend"), [("torchcodec", "torchcodec"), ("av", "pyav")])
def test_a_missing_library_is_said_with_its_command(monkeypatch, tmp_path, module, backend) -> None:
    write_video(tmp_path / "clip.mp4", torch.zeros(2, 3, 16, 16, dtype=torch.uint8))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match="pip install"):
        open_video(tmp_path / "clip.mp4", backend)


def test_indices_outside_the_video_are_refused(backends, path) -> None:
    backends(Works, Works, Works)
    with open_video(path) as video:
        for index in (-1, 10):
            with pytest.raises(IndexError, match=rf"clip\.mp4: frame {index} does not exist; indices go from 0 to 9"):
                video.frames([0, index])
        with pytest.raises(ValueError, match="at least one"):
            video.frames([])


def test_a_closed_video_cannot_be_read(backends, path) -> None:
    backends(Works, Works, Works)
    with open_video(path) as video:
        pass
    with pytest.raises(ValueError, match="closed"):
        video.frames([0])
    video.close()


def test_a_missing_and_an_empty_file_are_said_plainly(tmp_path) -> None:
    with pytest.raises(DecodeError, match=r"nowhere\.mp4: no such file"):
        open_video(tmp_path / "nowhere.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(DecodeError, match=r"empty\.mp4: the file is empty"):
        open_video(tmp_path / "empty.mp4")


def test_an_unknown_backend_is_refused_with_the_known_ones(path) -> None:
    with pytest.raises(ValueError, match="'opencv'; allowed are decord, torchcodec, pyav"):
        open_video(path, "opencv")


def test_text_with_a_video_suffix_is_one_line_naming_the_file(path) -> None:
    with pytest.raises(DecodeError, match=r"clip\.mp4") as caught:
        open_video(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_file_cut_off_in_the_middle_gives_an_error_and_no_other_frames(tmp_path, backend) -> None:
    noise = torch.randint(0, 256, (30, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    write_video(tmp_path / "whole.mkv", noise, codec="mjpeg")
    whole = (tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    try:
        video = open_video(tmp_path / "cut.mkv", backend)
    except MissingExtraError as error:
        pytest.skip(str(error))
    with video, open_video(tmp_path / "whole.mkv", backend) as expected:
        assert 10 < video.num_frames < 20
        assert torch.equal(video.frames([0, 9]), expected.frames([0, 9]))
        with pytest.raises(IndexError):
            video.frames([25])


def test_decord_never_repeats_a_frame_in_place_of_one_that_it_cannot_decode(clip_of) -> None:
    clip = clip_of("cut without encoding")  # decord would count the hidden frames too, and repeat others for them
    with closing(DecordReader(clip.path)) as reader:
        assert len(reader.frames(range(len(clip.frames)))) == len(clip.frames)
        with pytest.raises(DecodeError):
            reader.frames([len(clip.frames) + 1])


def _run(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_loads_no_decoder() -> None:
    code = "import sys, vidcls.video; print(sorted({'av', 'decord', 'torchcodec', 'lightning'} & set(sys.modules)))"
    assert _run(code) == "[]"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="symbols of the process are looked up as on Linux")
def test_decord_keeps_its_codecs_from_the_libraries_loaded_later(tmp_path) -> None:
    write_video(tmp_path / "clip.mp4", torch.zeros(2, 3, 64, 64, dtype=torch.uint8))
    code = f"""
import ctypes
from vidcls.video import open_video
with open_video({os.fspath(tmp_path / "clip.mp4")!r}, "decord") as video:
    video.frames([0])
print(hasattr(ctypes.CDLL(None), "dav1d_version"), ctypes.RTLD_GLOBAL == ctypes.RTLD_LOCAL)
"""
    assert _run(code) == "False False"


def test_a_file_that_no_decoder_reads_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "my clip.mp4"
    path.write_bytes(bytes(range(256)) * 4)  # no video, and no text, which is told so
    with pytest.raises(DecodeError) as caught:
        open_video(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: cannot be decoded (decord: ")
    assert message.endswith(f"; re-encode it with `ffmpeg -i '{path}' out.mp4`, or remove it from the data set")
    assert str(path) not in caught.value.reason
    assert "re-encode" not in caught.value.reason
    assert str(pickle.loads(pickle.dumps(caught.value))) == message
    assert pickle.loads(pickle.dumps(caught.value)).reason == caught.value.reason
    with pytest.raises(DecodeError, match=r"in memory\): cannot be decoded .*; re-encode it with ffmpeg$"):
        open_video(path.read_bytes())
    assert examine(path).reason in message
