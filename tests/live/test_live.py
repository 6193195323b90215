"""The loop over newest windows: scores of each window alone, flow computed once, what is told of lag and loss."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from factories import CLASSES, two_stream, video_data
from lightning.pytorch import Trainer

from vidcls.clips.reader import ClipReader
from vidcls.datasets.video_csv import VideoCsv
from vidcls.flow import FlowSettings, flow_as_stored
from vidcls.flow.settings import COMPUTED_METHODS
from vidcls.live import FrameWindow, LiveStream, LiveTally, SlidingWindows, live_results
from vidcls.live.lines import JsonLines, json_line, text_line
from vidcls.live.live import scored_window
from vidcls.live.overlay import OverlayFile
from vidcls.live_place import LivePlace
from vidcls.predict import Predictor
from vidcls.predict.one_video import record_of
from vidcls.predict.prediction import Prediction
from vidcls.types import ClipSettings
from vidcls.video import FramesInMemory, open_video, write_video
from vidcls.video.live_frames import LiveFrames
from vidcls.video.shared_fields import SharedFields

FPS = 10.0


def moving(num_frames: int) -> torch.Tensor:
    """A texture that moves 2 px to the right in each frame: ``(T, 3, 40, 56)`` uint8."""
    frame = torch.randint(0, 255, (3, 40, 56), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return torch.stack([frame.roll(2 * t, dims=2) for t in range(num_frames)])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("live") / "clip.mkv"
    write_video(path, moving(23), fps=FPS, codec="ffv1")
    return path


@pytest.fixture(scope="module")
def predictor(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """Of a two-stream network that nobody trained, with two clips of each window."""
    folder = tmp_path_factory.mktemp("run")
    rows = []
    for label in CLASSES:
        for split in ("train", "val", "test"):
            (folder / f"{label}_{split}.mkv").write_bytes(clip.read_bytes())
            rows.append(f"{label}_{split}.mkv,{label},{split}")
    (folder / "videos.csv").write_text("\n".join(["path,label,split", *rows]) + "\n")
    data = video_data(
        VideoCsv(folder / "videos.csv"),
        streams=["rgb", "flow"],
        clip_len=4,
        flow_len=4,
        test_clips=2,
        flow_settings=FlowSettings(),
    )
    model = two_stream(clip=ClipSettings(clip_len=4, flow_len=4))
    trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    trainer.test(model, data, verbose=False)
    trainer.save_checkpoint(folder / "best.ckpt")
    return Predictor(folder / "best.ckpt", device="cpu")


def played(clip: Path, windows: SlidingWindows) -> Iterator[FrameWindow]:
    """All windows of a file as if it were played to somebody who is never late."""
    with LiveFrames(LivePlace("file", str(clip), "clip")) as frames:
        windows.fps = frames.fps
        for seconds, rgb in frames:
            assert seconds is not None
            windows.add(seconds, seconds, rgb)
            window = windows.newest()
            if window is not None:
                yield window
    last = windows.last()
    if last is not None:
        yield last


def test_windows_that_share_flow_have_the_scores_of_each_alone_to_the_last_bit(
    clip: Path, predictor: Predictor
) -> None:
    fields: SharedFields = SharedFields()
    with open_video(clip) as video:
        frames = video.frames(range(23))
    num = 0
    for window in played(clip, SlidingWindows(1.0, 0.4)):
        first = round(window.start_seconds * FPS)
        assert torch.equal(torch.from_numpy(window.rgb()).permute(0, 3, 1, 2), frames[first : first + 10])
        alone = predictor(FramesInMemory(frames[first : first + 10], fps=FPS))
        found = scored_window(predictor, window, "clip", fields)
        assert found.scores == alone.scores
        assert (found.path, found.start_seconds) == ("clip", pytest.approx(first / FPS))
        num += 1
    assert num == 5


def test_flow_that_windows_share_is_computed_once(
    clip: Path, predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a timeline and live; of methods in PyTorch, whose rounding may depend on the batch, it is not shared."""
    computed: list[int] = []

    def counted(frames: torch.Tensor, settings: FlowSettings, **more: object) -> torch.Tensor:
        computed.append(len(frames) - 1)
        return flow_as_stored(frames, settings)

    monkeypatch.setattr("vidcls.clips.reader.flow_as_stored", counted)
    together = predictor.timeline(clip, 1.0, 0.2)
    num_together = sum(computed)
    computed.clear()
    fields: SharedFields = SharedFields()
    live = [scored_window(predictor, window, "clip", fields) for window in played(clip, SlidingWindows(1.0, 0.2))]
    assert len(live) == len(together) == 8
    assert num_together <= 22  # as many as the video has
    assert sum(computed) <= 22
    for prediction in together:
        with open_video(clip) as video:  # in which each window is computed alone, with the same neighbours
            record, reader = record_of(video), ClipReader(predictor.input_settings)
            first = round(prediction.start_seconds * FPS)
            planned = reader.test_indices(video, record, frame_range=(first, first + 10))
            alone = predictor.prediction_of(clip, reader.pixels(video, record, planned))
        assert prediction.scores == alone.scores
    methods = [name for name in COMPUTED_METHODS if FlowSettings(method=name).is_exact_alone]
    assert methods == ["dis", "farneback", "tvl1_opencv"]


class Says:
    """Scores the mean brightness of a window."""

    class_names = ("dark", "bright")

    def __call__(self, video: FramesInMemory) -> Prediction:
        bright = float(np.asarray(video.frames, dtype=float).mean()) / 255
        scores = (1 - bright, bright)
        return Prediction(Path(video.name), self.class_names, scores, 0.0, 1.0, (self.class_names[bright > 0.5],))


@contextmanager
def bursts(place: LivePlace) -> Iterator[list[tuple[float, np.ndarray]]]:
    class Frames(list):
        fps, num_damaged = FPS, 0

    yield Frames((k / FPS, np.full((32, 48, 3), 60 * (k // 10), dtype=np.uint8)) for k in range(41))


def test_each_result_says_how_late_it_is_and_what_was_left_out(tmp_path: Path) -> None:
    """All frames come at once: the first windows are skipped."""
    windows, tally = SlidingWindows(1.0, 0.5), LiveTally()
    place = LivePlace("address", "tcp://h:1", "tcp://h:1")
    output, overlay = tmp_path / "live.jsonl", tmp_path / "live.mkv"
    with (
        LiveStream(place, windows, say=list, connect=bursts) as stream,
        JsonLines(output) as lines,
        OverlayFile(overlay) as drawn,
    ):
        results = []
        for result in live_results(Says(), stream, windows, duration_seconds=30, tally=tally):
            results.append(result)
            lines.add(result)
            drawn.add(result)
            if result.prediction.end_seconds > 3.9:
                break
    last = results[-1]
    assert last.prediction.scores == pytest.approx((1 - 180 / 255, 180 / 255))
    assert last.lag_seconds >= 0
    assert windows.num_skipped == sum(result.num_skipped for result in results)
    content = [json.loads(line) for line in output.read_text().splitlines()]
    assert content[-1]["prediction"] == "bright"
    assert content[-1]["scores"] == dict(zip(Says.class_names, last.prediction.scores, strict=True))
    assert content[-1]["source"] == "tcp://h:1"
    assert json_line(last) == output.read_text().splitlines()[-1]
    assert "bright 0.706" in text_line(last, top_k=1)
    assert f"{len(results)} window{'s' * (len(results) != 1)} in" in tally.text(windows, stream)
    with open_video(overlay) as video:
        assert video.fps == FPS
        assert video.num_frames >= 10
        frames = video.frames([video.num_frames - 1])
    assert frames[0, :, -4:].float().mean() == pytest.approx(180, abs=3)
    assert frames[0, :, :12].max() > 200  # letters


def test_what_live_and_segments_import_takes_no_torch() -> None:
    program = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(('torch', 'torchvision', 'lightning', 'pyarrow', 'torchmetrics'))\n"
        "import vidcls.cli.predict_live, vidcls.cli.segment_options, vidcls.live.lines, vidcls.live.overlay\n"
        "import vidcls.predict.segment_file\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_stream_that_ends_while_nobody_looks_still_gives_its_last_window(clip: Path) -> None:
    class Ends:
        place, started, is_over = LivePlace("file", "clip", "clip"), 0.0, False

        def next_window(self, timeout_seconds: float) -> FrameWindow | None:
            if not self.is_over:
                self.is_over = True  # just after the waiting ended
                return None
            return next(left, None)

    left = iter([*played(clip, SlidingWindows(9.0, 9.0))])
    results = live_results(Says(), Ends(), SlidingWindows(9.0, 9.0))  # type: ignore[arg-type]
    assert [round(result.prediction.end_seconds, 2) for result in results] == [2.3]


def test_what_is_kept_of_a_camera_that_goes_on_for_months_is_bounded() -> None:
    tally = LiveTally()
    for k in range(30_000):
        tally.add(5.0 if k == 0 else 0.25)
    tally.seconds = 15_000.0
    assert len(tally.lags) <= 10_000
    windows = SlidingWindows(1.0, 0.5)
    said = tally.text(windows, LiveStream(LivePlace("camera", "0", "0"), windows, say=list))
    assert said.startswith("30000 windows in 15000.0 s; lag 0.25 s (median), 5.00 s (longest); ")
