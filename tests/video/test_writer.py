"""Writing: whole files or none, the same bytes twice, and arguments that do what they say."""

from __future__ import annotations

import pytest
import torch

from vidcls.video import open_video, write_video
from vidcls.video.packets import list_packets

NOISE = torch.randint(0, 256, (20, 3, 32, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "h264"), (".mkv", "h264"), (".mov", "mpeg4"), (".avi", "mpeg4"), (".avi", "mjpeg"), (".mkv", "ffv1")],
)
def test_writing_twice_gives_the_same_bytes(tmp_path, suffix, codec) -> None:
    for name in ("one", "two"):
        write_video(tmp_path / f"{name}{suffix}", NOISE, codec=codec)
    first = (tmp_path / f"one{suffix}").read_bytes()
    assert first == (tmp_path / f"two{suffix}").read_bytes()
    assert len(first) > 1000


@pytest.mark.parametrize("codec", ["h264", "mpeg4", "mjpeg"])
def test_a_smaller_quality_number_gives_a_larger_and_closer_file(tmp_path, codec) -> None:
    sizes, errors = [], []
    for quality in (2, 20):
        path = tmp_path / f"{quality}.mkv"
        write_video(path, NOISE, codec=codec, quality=quality)
        sizes.append(path.stat().st_size)
        with open_video(path) as video:
            errors.append((video.frames(range(20)).float() - NOISE.float()).abs().mean())
    assert sizes[0] > 1.5 * sizes[1]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("codec", ["h264", "mpeg4"])
def test_gop_bounds_the_distance_of_key_frames(tmp_path, codec) -> None:
    still = NOISE[:1].expand(20, -1, -1, -1)  # where the picture changes, encoders add key frames
    write_video(tmp_path / "clip.mp4", still, codec=codec, gop=5, b_frames=0)
    assert list_packets(tmp_path / "clip.mp4").key_frames == [0, 5, 10, 15]


@pytest.mark.parametrize("codec", ["h264", "mpeg4"])
def test_b_frames_reorder_the_file(tmp_path, codec) -> None:
    still = NOISE[:1].expand(20, -1, -1, -1)
    write_video(tmp_path / "none.mp4", still, codec=codec, b_frames=0)
    write_video(tmp_path / "two.mp4", still, codec=codec, b_frames=2)
    av = pytest.importorskip("av")
    reordered = []
    for name in ("none.mp4", "two.mp4"):
        with av.open(str(tmp_path / name)) as container:
            times = [packet.pts for packet in container.demux(video=0) if packet.size]
        reordered.append(times != sorted(times))
    assert reordered == [False, True]


@pytest.mark.parametrize("fps", [25, 12.5, 30000 / 1001])
def test_the_frame_rate_is_kept(tmp_path, fps) -> None:
    write_video(tmp_path / "clip.mp4", NOISE, fps=fps)
    with open_video(tmp_path / "clip.mp4") as video:
        assert video.fps == pytest.approx(fps, rel=1e-6)


def test_frames_may_come_one_by_one(tmp_path) -> None:
    write_video(tmp_path / "tensor.mp4", NOISE)
    write_video(tmp_path / "iterable.mp4", (frame for frame in NOISE))
    assert (tmp_path / "tensor.mp4").read_bytes() == (tmp_path / "iterable.mp4").read_bytes()


def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(tmp_path) -> None:
    def breaks():
        yield from NOISE[:10]
        raise RuntimeError("the network went down")

    path = tmp_path / "clip.avi"
    write_video(path, NOISE, codec="mjpeg")  # writes each frame at once; h264 would hold ten back
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="the network went down"):
        write_video(path, breaks(), codec="mjpeg")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "frames", "arguments", "words"),
    [
        ("clip.webm", NOISE, {}, r"suffix is '\.webm'; allowed are \.mp4, \.mov, \.avi, \.mkv"),
        ("clip.mp4", NOISE, {"codec": "vp9"}, "codec is 'vp9'; allowed are h264"),
        ("clip.mp4", NOISE, {"codec": "ffv1"}, r"ffv1 does not go into \.mp4"),
        ("clip.mp4", NOISE, {"quality": 52}, "quality is 52; allowed for h264 is 0 to 51"),
        ("clip.mkv", NOISE, {"codec": "ffv1", "quality": 1}, "allowed for ffv1 is None alone"),
        ("clip.avi", NOISE, {"codec": "mjpeg", "gop": 5}, "mjpeg has key frames only"),
        ("clip.avi", NOISE, {"codec": "mjpeg", "b_frames": 0}, "mjpeg has key frames only"),
        ("clip.mp4", NOISE, {"gop": 0}, "gop is 0; it must be 1 or more"),
        ("clip.mp4", NOISE, {"fps": 0}, "fps is 0"),
        ("clip.mp4", NOISE[:0], {}, "no frames to write"),
        ("clip.mp4", NOISE.float(), {}, "frame 0 is .* torch.float32; it must be"),
        ("clip.mp4", [NOISE[0], NOISE[0, :, :16]], {}, r"frame 1 is \(3, 16, 48\), the first is \(3, 32, 48\)"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(tmp_path, name, frames, arguments, words) -> None:
    with pytest.raises(ValueError, match=words):
        write_video(tmp_path / name, frames, **arguments)
    assert list(tmp_path.iterdir()) == []
