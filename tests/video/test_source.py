"""Where a video is: a file, bytes, an open file, frames; whichever it is, its frames are the same."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vidcls.errors import DecodeError
from vidcls.video import Backend, BytesInMemory, FramesInMemory, open_video, write_video
from vidcls.video.source import LocalFile, source_of
from vidcls.video.timing import frame_times


@pytest.fixture
def frames() -> Tensor:
    return torch.randint(0, 256, (7, 3, 32, 48), generator=torch.Generator().manual_seed(3)).byte()


@pytest.fixture
def file(tmp_path: Path, frames: Tensor) -> Path:
    write_video(tmp_path / "clip.mp4", frames, fps=10, codec="mpeg4", gop=3)
    return tmp_path / "clip.mp4"


@pytest.mark.parametrize("backend", [None, "decord", "pyav"])
def test_bytes_and_open_files_give_the_frames_of_the_file_and_leave_no_file_behind(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: Backend | None
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with open_video(file, backend) as video:
        expected, seconds = video.frames(range(7)), video.frame_seconds
    content = file.read_bytes()
    with file.open("rb") as opened:
        for source in (content, bytearray(content), io.BytesIO(content), opened, BytesInMemory(content, "upload")):
            with open_video(source, backend) as video:  # type: ignore[arg-type]
                assert torch.equal(video.frames([6, *range(7)]), torch.cat([expected[6:], expected]))
                assert (video.num_frames, video.fps, video.frame_seconds) == (7, 10.0, seconds)
                assert frame_times(video).end_seconds == pytest.approx(0.7)
                assert [*(tmp_path / "temporary").iterdir()]
            assert [*(tmp_path / "temporary").iterdir()] == []


def test_a_folder_and_a_list_of_paths_are_said_to_be_passed_one_by_one(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="is a folder: pass one video at a time, as in: for path in sorted"):
        open_video(tmp_path)
    with pytest.raises(TypeError, match="a video is one path, not a list: pass them one at a time"):
        open_video([tmp_path / "a.mp4"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "advice"), [(b"<html>\nnot f\xc3\xbcr you", "text"), (bytes(range(256)), "ffmpeg")]
)
def test_text_is_not_said_to_be_re_encoded(tmp_path: Path, content: bytes, advice: str) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(DecodeError) as refused:
        assert open_video(tmp_path / "a.mp4").num_frames
    assert ("it is text, not a video: check the path" in str(refused.value)) == (advice == "text")
    assert ("re-encode it with `ffmpeg" in str(refused.value)) == (advice == "ffmpeg")


def test_frames_in_memory_need_no_decoder_and_no_file(frames: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidcls.video.reader.BACKENDS", {})
    with open_video(FramesInMemory(frames, fps=5.0), "decord") as video:
        assert torch.equal(video.frames([6, 0]), frames[[6, 0]])
        assert (video.num_frames, video.fps, video.backend, video.info.codec) == (7, 5.0, "memory", "raw")
        assert video.frame_seconds[:2] == [0.0, 0.2]
        with pytest.raises(IndexError, match=r"frames in memory.*frame 7 does not exist"):
            video.frames([7])
    with pytest.raises(ValueError, match="must be"):
        open_video(FramesInMemory(frames.float()))
    for fps in (float("nan"), float("inf"), -1.0):
        with pytest.raises(ValueError, match="fps is"):
            open_video(FramesInMemory(frames, fps=fps))


def test_an_array_or_tensor_of_frames_is_a_video_of_25_frames_per_second(frames: Tensor) -> None:
    given = frames.permute(0, 2, 3, 1)  # (T, H, W, 3)
    for array in (given, given.numpy(), np.ascontiguousarray(given.numpy())):
        with open_video(array) as video:
            assert torch.equal(video.frames(range(7)), frames)
            assert video.fps == 25.0
    for wrong in (frames, given.float(), given[0], given[:0]):
        with pytest.raises(ValueError, match=r"expected \(T, H, W, 3\) uint8 RGB .* use vidcls\.video\.FramesInMemory"):
            open_video(wrong)


def test_what_is_no_video_is_named_by_what_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(DecodeError, match=r"^upload\.mp4: cannot be decoded"):
        open_video(BytesInMemory(b"no video at all", "upload.mp4"))
    assert [*tmp_path.iterdir()] == []
    with pytest.raises(DecodeError, match=r"^\(bytes in memory\): has no bytes"):
        open_video(b"")
    with pytest.raises(DecodeError, match=r"gone\.mp4: no such file"):
        open_video(tmp_path / "gone.mp4")
    with pytest.raises(TypeError, match="open it in binary mode"):
        open_video(io.StringIO("text"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not int"):
        open_video(3)  # type: ignore[arg-type]


def test_a_playlist_in_bytes_reads_no_other_file(file: Path) -> None:
    playlist = f"ffconcat version 1.0\nfile {file}\n".encode()
    with pytest.raises(DecodeError, match="script that joins files"):
        open_video(playlist)


def test_a_source_is_what_it_is() -> None:
    source = LocalFile(Path("a.mp4"))
    assert source_of(source) is source
    assert source_of("a.mp4") == source == source_of(Path("a.mp4"))
    assert source.name == "a.mp4"
