"""Prediction against the test, windows against windows of other videos, and what a checkpoint must say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from lightning.pytorch import Trainer
from opened_files import watch_decoders
from torch import Tensor, nn

import vidcls
from vidcls.clips.settings import FlowOn
from vidcls.datasets.video_csv import VideoCsv
from vidcls.errors import CheckpointError, ConfigurationError, DatasetError, DecodeError, FlowError
from vidcls.export.export import graph_of
from vidcls.flow import FlowSettings
from vidcls.flow.precompute import store_video
from vidcls.flow.store_writer import FlowStoreWriter
from vidcls.inference import Scorer
from vidcls.loading import VideoDataModule
from vidcls.models import SingleFrame, TwoStream, VideoClassifier
from vidcls.predict import Predictor
from vidcls.predict.prediction import Prediction
from vidcls.tasks import SingleLabel
from vidcls.training.fusion import fixed_fusions
from vidcls.transforms import TransformSettings
from vidcls.types import RGB, ScoreRule, StreamKind, VideoInfo
from vidcls.video import DecoderFallbackWarning, FramesInMemory, VideoReader, open_video, reader, write_video
from vidcls.video.video_reader import Frames

STEPS_PX = {"down": (2, 0), "right": (0, 2), "still": (0, 0)}
CLASSES = tuple(STEPS_PX)
SPLITS = ["train", "train", "train", "val", *["test"] * 5]
NUM_FRAMES = [14] * 8 + [3]  # the last one has fewer fields than a flow window
FPS = 10.0
STORED_FLOW = FlowSettings(bound_px=10.0, short_side_px=36)
OF_CROPS = FlowSettings()


def square_clip(label: str, seed: int, *, num_frames: int = 14) -> Tensor:
    """A textured square that wraps around, moving as its class says: ``(T, 3, 40, 56)`` uint8."""
    texture = torch.randint(60, 255, (3, 8, 8), generator=torch.Generator().manual_seed(seed))
    frame = torch.full((3, 40, 56), 40)
    frame[:, 10:26, 12:28] = texture.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    down_px, right_px = STEPS_PX[label]
    return torch.stack([frame.roll((down_px * t, right_px * t), dims=(1, 2)) for t in range(num_frames)]).to(
        torch.uint8
    )


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> VideoCsv:
    """3 videos to train on, 1 to validate and 5 to test."""
    root = tmp_path_factory.mktemp("labelled")
    rows = ["path,label,split"]
    for k, (split, num_frames) in enumerate(zip(SPLITS, NUM_FRAMES, strict=True)):
        label = CLASSES[k % 3]
        write_video(root / f"{k}.avi", square_clip(label, k, num_frames=num_frames), codec="mjpeg", fps=FPS)
        rows.append(f"{k}.avi,{label},{split}")
    (root / "clips.csv").write_text("\n".join(rows) + "\n")
    return VideoCsv(root / "clips.csv")


@pytest.fixture(scope="module")
def flow_store(labelled: VideoCsv, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stored flow of all videos."""
    root = tmp_path_factory.mktemp("flow") / "store"
    writer = FlowStoreWriter.open(root, STORED_FLOW)
    for record in labelled.records:
        store_video(writer, record)
    return root


def data_module(
    dataset: VideoCsv,
    streams: tuple[StreamKind, ...],
    *,
    test_crops: int = 1,
    flow: Path | None = None,
    flow_on: FlowOn = "worker",
    score: ScoreRule | None = None,
) -> VideoDataModule:
    """Two clips of two frames and of four fields for each test video, of 32 px."""
    return VideoDataModule(
        dataset,
        streams=streams,
        clip_len=2,
        stride=2,
        flow_len=4,
        transform=TransformSettings(resize_px=36, crop_px=32, test_crops=test_crops),  # type: ignore[arg-type]
        test_clips=2,
        test_batch_size=3,
        num_workers=0,
        flow=None if flow is None else str(flow),
        flow_settings=None
        if flow is not None or streams == ("rgb",)
        else OF_CROPS
        if flow_on == "device"
        else STORED_FLOW,
        flow_on=flow_on,
        score=score,
    )


def spread_scores(model: VideoClassifier, data: VideoDataModule) -> None:
    """Scale and centre the last layers of a random network, so that its scores differ clearly from video to video."""
    batch = next(iter(data.test_dataloader()))

    def centre(layer: nn.Linear, _: tuple[Tensor], logits: Tensor) -> None:
        layer.bias.data.sub_(logits.mean(dim=0))

    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and "head" in name:
            module.weight.data.mul_(300)
            module.register_forward_hook(centre)
    with torch.no_grad():
        Scorer.of(model.eval(), data.input_settings).videos(batch["streams"])
    for module in model.modules():
        module._forward_hooks.clear()


def scores_of_test(data: VideoDataModule, checkpoint: Path) -> dict[str, Tensor]:
    """The scores ``(5, K)`` that Trainer.test gives by row for a model of random weights, kept in ``checkpoint``."""
    torch.manual_seed(0)
    is_single = data.input_settings.streams == (RGB,)
    kind: type[VideoClassifier] = SingleFrame if is_single else TwoStream
    backbones = {"backbone": "small"} if is_single else {"spatial": "small", "temporal": "small"}
    model = kind(class_names=data.class_names, clip=data.clip, **backbones)
    spread_scores(model, data)
    trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    trainer.test(model, data, verbose=False)
    trainer.save_checkpoint(checkpoint)
    assert model.test_scores is not None
    return dict(model.test_scores.scores)


@pytest.fixture(scope="module")
def rgb_checkpoint(labelled: VideoCsv, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SingleFrame with its data's settings."""
    path = tmp_path_factory.mktemp("rgb") / "checkpoints" / "best.ckpt"
    scores_of_test(data_module(labelled, ("rgb",)), path)
    return path


@pytest.fixture(scope="module")
def two_stream_checkpoint(labelled: VideoCsv, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TwoStream with its data's settings."""
    path = tmp_path_factory.mktemp("two_stream") / "two_stream.ckpt"
    scores_of_test(data_module(labelled, ("rgb", "flow")), path)
    return path


@pytest.mark.parametrize("test_crops", [1, 2, 3, 10])
@pytest.mark.parametrize(
    "kind", ["SingleFrame", "TwoStream, flow computed", "TwoStream, flow stored", "TwoStream, flow on the device"]
)
def test_a_prediction_equals_the_test_of_that_file(
    labelled: VideoCsv, flow_store: Path, tmp_path: Path, kind: str, test_crops: int
) -> None:
    streams: tuple[StreamKind, ...] = ("rgb",) if kind == "SingleFrame" else ("rgb", "flow")
    flow = flow_store if kind.endswith("stored") else None
    flow_on: FlowOn = "device" if kind.endswith("device") else "worker"
    data = data_module(labelled, streams, test_crops=test_crops, flow=flow, flow_on=flow_on)
    expected = scores_of_test(data, tmp_path / "a.ckpt")
    predictor = Predictor(tmp_path / "a.ckpt", device="cpu", batch_views=3)
    assert predictor.input_settings == data.input_settings
    videos = [record.path for record in data.split("test")]
    rows = [predictor.scores_by_row(video) for video in videos]
    assert expected["model"].std(dim=0).min() > 0.01  # or the comparison would say little
    for row, scores in expected.items():
        torch.testing.assert_close(torch.tensor([found[row] for found in rows]), scores, rtol=0, atol=1e-5)
    predictions = [predictor(video) for video in videos]
    assert [p.label for p in predictions] == [data.class_names[k] for k in expected["model"].argmax(dim=1)]
    assert [p.scores for p in predictions] == [found["model"] for found in rows]


@pytest.mark.parametrize("kind", ["SingleFrame", "TwoStream"])
def test_where_logits_are_averaged_prediction_and_test_are_equal_and_other_than_those_of_probabilities(
    labelled: VideoCsv, tmp_path: Path, kind: str
) -> None:
    streams: tuple[StreamKind, ...] = ("rgb",) if kind == "SingleFrame" else ("rgb", "flow")
    found: dict[ScoreRule, dict[str, Tensor]] = {}
    for rule in ("probabilities", "logits"):
        data = data_module(labelled, streams, test_crops=3, score=rule)
        found[rule] = scores_of_test(data, tmp_path / f"{rule}.ckpt")
        predictor = Predictor(tmp_path / f"{rule}.ckpt", device="cpu", batch_views=4)
        assert predictor.input_settings.score == rule
        rows = [predictor.scores_by_row(record.path) for record in data.split("test")]
        for row, scores in found[rule].items():
            torch.testing.assert_close(torch.tensor([r[row] for r in rows]), scores, rtol=0, atol=1e-5)
            torch.testing.assert_close(scores.sum(dim=-1), torch.ones(len(rows)))
    assert found["logits"].keys() == found["probabilities"].keys()
    assert (found["logits"]["model"] - found["probabilities"]["model"]).abs().max() > 5e-4  # 50 times the tolerance
    if kind == "TwoStream":  # the fused rows are means over views and streams of what the parts say before softmax
        parts = torch.stack([found["logits"][part].log() for part in ("spatial", "temporal")])
        fusions = fixed_fusions(SingleLabel("abc"), "logits")
        even, weighted = torch.ones(2), torch.tensor([1.0, 1.5])
        for row, name, weights in (
            ("mean", "mean", even),
            ("weighted", "weighted", weighted),
            ("model", "product", even),
        ):
            torch.testing.assert_close(found["logits"][row], fusions[name](parts, weights).softmax(dim=-1))


def test_a_checkpoint_of_version_01_which_does_not_say_what_is_averaged_means_probabilities(
    labelled: VideoCsv, tmp_path: Path
) -> None:
    data = data_module(labelled, ("rgb",), test_crops=3)
    expected = scores_of_test(data, tmp_path / "a.ckpt")["model"]
    content = torch.load(tmp_path / "a.ckpt", weights_only=True)
    assert content["vidcls"]["input"].pop("score") == "probabilities"
    torch.save(content, tmp_path / "old.ckpt")
    predictor = Predictor(tmp_path / "old.ckpt", device="cpu")
    assert predictor.input_settings == data.input_settings
    scores = [predictor(record.path).scores for record in data.split("test")]
    torch.testing.assert_close(torch.tensor(scores), expected, rtol=0, atol=1e-5)
    with pytest.raises(CheckpointError, match=r"not understood .*score is"):
        Predictor(changed(tmp_path / "a.ckpt", tmp_path / "b.ckpt", {"score": "sums"}))


def test_stored_and_computed_flow_predict_the_same(labelled: VideoCsv, flow_store: Path, tmp_path: Path) -> None:
    stored = scores_of_test(data_module(labelled, ("rgb", "flow"), flow=flow_store), tmp_path / "stored.ckpt")
    computed = scores_of_test(data_module(labelled, ("rgb", "flow")), tmp_path / "computed.ckpt")
    assert torch.equal(stored["model"], computed["model"])


def test_a_prediction_names_file_classes_and_length(labelled: VideoCsv, rgb_checkpoint: Path) -> None:
    path = labelled.records[0].path
    prediction = Predictor(rgb_checkpoint, device="cpu")(str(path))
    assert (prediction.path, prediction.class_names) == (path, CLASSES)
    assert (prediction.start_seconds, prediction.end_seconds) == (0.0, pytest.approx(1.4))
    assert sum(prediction.scores) == pytest.approx(1, abs=1e-5)


def test_bytes_open_files_and_frames_are_predicted_like_the_file(labelled: VideoCsv, rgb_checkpoint: Path) -> None:
    predictor = Predictor(rgb_checkpoint, device="cpu")
    path = labelled.records[0].path
    expected = predictor(path)
    with path.open("rb") as file:
        for found in (predictor(path.read_bytes()), predictor(file), predictor.timeline(path.read_bytes(), 60.0)[0]):
            assert found.scores == expected.scores
            assert found.end_seconds == expected.end_seconds
    with open_video(path) as video:
        frames = FramesInMemory(video.frames(range(video.num_frames)), fps=video.fps, name="made by a program")
    found = predictor(frames)
    assert (found.scores, found.path) == (expected.scores, Path("made by a program"))
    assert predictor(frames.frames.permute(0, 2, 3, 1).numpy()).scores == expected.scores
    with pytest.raises(DecodeError, match="cannot be decoded"):
        predictor(b"no video")


def test_load_is_a_predictor_of_a_checkpoint_or_run(labelled: VideoCsv, rgb_checkpoint: Path) -> None:
    path = labelled.records[0].path
    expected = Predictor(rgb_checkpoint, device="cpu")(path)
    for place in (rgb_checkpoint, rgb_checkpoint.parent.parent):
        assert vidcls.load(place, device="cpu")(path) == expected


def test_the_folder_of_a_run_means_its_best_checkpoint(rgb_checkpoint: Path, tmp_path: Path) -> None:
    assert Predictor(rgb_checkpoint.parent.parent, device="cpu").path == rgb_checkpoint
    with pytest.raises(CheckpointError, match=r"no run here has a checkpoint best\.ckpt"):
        Predictor(tmp_path)


@pytest.mark.parametrize("streams", ["rgb", "rgb and flow"])
def test_a_window_is_scored_by_its_own_frames_wherever_it_lies(
    rgb_checkpoint: Path, two_stream_checkpoint: Path, tmp_path: Path, streams: str
) -> None:
    predictor = Predictor(rgb_checkpoint if streams == "rgb" else two_stream_checkpoint, device="cpu")
    halves = {"down": square_clip("down", 50, num_frames=40), "right": square_clip("right", 51, num_frames=40)}
    write_video(tmp_path / "both.avi", torch.cat(list(halves.values())), codec="ffv1", fps=FPS)
    alone = []
    for name, frames in halves.items():
        write_video(tmp_path / f"{name}.avi", frames, codec="ffv1", fps=FPS)
        alone.append(predictor.timeline(tmp_path / f"{name}.avi", window_seconds=1.0))
    both = predictor.timeline(tmp_path / "both.avi", window_seconds=1.0)
    assert _times(both) == [(float(k), float(k + 1)) for k in range(8)]
    inner = {1: alone[0][1], 2: alone[0][2], 5: alone[1][1], 6: alone[1][2]}  # no flow over the seam or the ends
    for k, expected in inner.items():
        assert both[k].scores == pytest.approx(expected.scores, abs=1e-5)
    assert both[1].scores != pytest.approx(both[5].scores, abs=0.01)
    whole = predictor.timeline(tmp_path / "both.avi", window_seconds=60.0)
    assert [p.scores for p in whole] == [predictor(tmp_path / "both.avi").scores]


def test_the_last_window_ends_with_the_video_and_is_as_long_as_the_others(
    rgb_checkpoint: Path, labelled: VideoCsv
) -> None:
    predictor = Predictor(rgb_checkpoint, device="cpu")
    path = labelled.records[0].path  # 1.4 s
    assert _times(predictor.timeline(path, 0.4)) == [(0.0, 0.4), (0.4, 0.8), (0.8, 1.2), (1.0, 1.4)]
    assert _times(predictor.timeline(path, 0.8, 0.3)) == [(0.0, 0.8), (0.3, 1.1), (0.6, 1.4)]
    assert _times(predictor.timeline(path, 60.0)) == [(0.0, 1.4)]
    assert len(predictor.timeline(path, 0.001)) == 14  # never less than a frame


def test_the_windows_of_a_variable_rate_are_those_of_its_time(rgb_checkpoint: Path, tmp_path: Path) -> None:
    down, right = square_clip("down", 50, num_frames=20), square_clip("right", 51, num_frames=20)
    seconds = [0.2 * i for i in range(20)] + [4 + 0.05 * i for i in range(20)]  # 20 frames in 4 s, then 20 in 1 s
    path = tmp_path / "variable.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = *down.shape[2:], "bgr0"
        stream.codec_context.time_base = Fraction(1, 1000)
        for rgb, shown in zip(torch.cat([down, right]), seconds, strict=True):
            frame = av.VideoFrame.from_ndarray(rgb.permute(1, 2, 0).contiguous().numpy(), format="rgb24")
            frame.pts, frame.time_base = round(1000 * shown), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    predictor = Predictor(rgb_checkpoint, device="cpu")
    found = predictor.timeline(path, 1.0)
    assert _times(found) == [(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0), (4.0, 5.0)]
    write_video(tmp_path / "last.mkv", right, codec="ffv1", fps=20)
    assert found[4].scores == pytest.approx(predictor(tmp_path / "last.mkv").scores, abs=1e-5)
    assert predictor(path).end_seconds == pytest.approx(5.0)


@pytest.mark.parametrize("streams", ["rgb", "rgb and flow"])
def test_a_timeline_opens_the_video_once_and_decodes_each_frame_once(
    rgb_checkpoint: Path,
    two_stream_checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    streams: str,
) -> None:
    path = tmp_path / "long.avi"
    write_video(path, square_clip("down", 50, num_frames=300), codec="mjpeg", fps=FPS)
    opened: list[Path] = []
    asked: list[int] = []

    class Counting(reader.DecordReader):
        def __init__(self, path: Path) -> None:
            opened.append(path)
            super().__init__(path)

        def pixels(self, indices: Sequence[int]) -> Frames:
            asked.extend(indices)
            return super().pixels(indices)

        @property
        def info(self) -> VideoInfo:
            return VideoInfo(self.num_frames, self.fps, 40, 56, "mjpeg")

    predictor = Predictor(rgb_checkpoint if streams == "rgb" else two_stream_checkpoint, device="cpu")
    expected = predictor.timeline(path, 2.0, 0.7)
    monkeypatch.setitem(reader.BACKENDS, "decord", Counting)
    windows = predictor.each_window(path, 2.0, 0.7)
    first = next(windows)
    assert max(asked) < 25  # it comes before the rest of the video is read
    assert [first, *windows] == expected
    assert opened == [path]
    assert asked == sorted(set(asked))


@pytest.mark.parametrize("windows", [[], ["--window_seconds", "0.5"]], ids=["whole", "windows"])
def test_predictions_and_the_labelled_copy_of_a_video_open_its_file_once(
    rgb_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, windows: list[str]
) -> None:
    from vidcls.cli.predict import main

    path = tmp_path / "a.avi"
    write_video(path, square_clip("down", 50, num_frames=20), codec="mjpeg", fps=FPS)
    argv = [str(rgb_checkpoint), str(path), "--device", "cpu", *windows]
    assert main([*argv, "--output", str(tmp_path / "alone.csv")]) == 0
    opened = watch_decoders(monkeypatch)
    assert main([*argv, "--output", str(tmp_path / "both.csv"), "--overlay", str(tmp_path / "labelled.mp4")]) == 0
    assert opened == [("decord", path)]
    assert (tmp_path / "both.csv").read_text() == (tmp_path / "alone.csv").read_text()
    assert (tmp_path / "labelled.mp4").stat().st_size > 1000


def test_a_decoder_that_failed_is_not_tried_again_for_each_window(
    rgb_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.avi"
    write_video(path, square_clip("down", 50, num_frames=60), codec="mjpeg", fps=FPS)
    attempts: list[Path] = []

    def refuse(path: Path) -> VideoReader:
        attempts.append(path)
        raise DecodeError("not today")

    monkeypatch.setitem(reader.BACKENDS, "decord", refuse)
    with pytest.warns(DecoderFallbackWarning) as caught:
        assert len(Predictor(rgb_checkpoint, device="cpu").timeline(path, 0.5)) == 12
    assert len(attempts) == 1
    assert len([one for one in caught if one.category is DecoderFallbackWarning]) == 1


@pytest.mark.parametrize(
    ("window", "hop"), [(0, None), (-1, None), (float("nan"), None), (1, 2), (1, 0), (float("inf"), 1)]
)
def test_windows_that_leave_frames_out_are_refused(
    rgb_checkpoint: Path, labelled: VideoCsv, window: float, hop: float | None
) -> None:
    with pytest.raises(ValueError, match="hop not longer than the window"):
        Predictor(rgb_checkpoint, device="cpu").timeline(labelled.records[0].path, window, hop)


def test_a_file_that_is_missing_or_no_video_is_named(rgb_checkpoint: Path, tmp_path: Path) -> None:
    predictor = Predictor(rgb_checkpoint, device="cpu")
    with pytest.raises(DecodeError, match=r"gone\.mp4"):
        predictor(tmp_path / "gone.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(DecodeError, match=r"text\.mp4: cannot be decoded"):
        predictor(tmp_path / "text.mp4")


def test_settings_that_are_not_understood_are_one_line_for_export_too(rgb_checkpoint: Path, tmp_path: Path) -> None:
    hostile = changed(rgb_checkpoint, tmp_path / "a.ckpt", {"test_clips": 10**9})
    for use in (Predictor, graph_of):
        with pytest.raises(CheckpointError, match=r"a\.ckpt: what it says of its input .* in 1 to 10000, got 10"):
            use(hostile)


def changed(checkpoint: Path, target: Path, change: dict[str, object] | None) -> Path:
    """A copy of a checkpoint whose input settings are changed, or left out; its model agrees."""
    content = torch.load(checkpoint, weights_only=True)
    clip = content["vidcls"]["clip"]
    clip |= {name: value for name, value in (change or {}).items() if name in clip}
    content["vidcls"]["input"] = None if change is None else {**content["vidcls"]["input"], **change}
    torch.save(content, target)
    return target


def test_a_video_too_short_for_a_clip_is_an_error_where_training_refused_it(
    rgb_checkpoint: Path, labelled: VideoCsv, tmp_path: Path
) -> None:
    predictor = Predictor(
        changed(rgb_checkpoint, tmp_path / "a.ckpt", {"short_videos": "error", "stride": 5}), device="cpu"
    )
    with pytest.raises(DatasetError, match=r"8\.avi.*3 frames"):
        predictor(labelled.records[-1].path)


def test_a_checkpoint_that_does_not_tell_its_input_is_refused(rgb_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="without the data module"):
        Predictor(changed(rgb_checkpoint, tmp_path / "a.ckpt", None))
    with pytest.raises(CheckpointError, match="not understood"):
        Predictor(changed(rgb_checkpoint, tmp_path / "b.ckpt", {"novelty": 1}))


def test_flow_of_another_program_cannot_be_predicted_with(two_stream_checkpoint: Path, tmp_path: Path) -> None:
    imported = replace(STORED_FLOW, method="imported", short_side_px=None).to_dict()
    with pytest.raises(FlowError, match="another program"):
        Predictor(changed(two_stream_checkpoint, tmp_path / "a.ckpt", {"flow_settings": imported}))


def test_arguments_are_checked(rgb_checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="batch_views"):
        Predictor(rgb_checkpoint, batch_views=0)
    with pytest.raises(ValueError, match="auto, cpu, cuda"):
        Predictor(rgb_checkpoint, device="gpu")  # type: ignore[arg-type]
    if not torch.cuda.is_available():
        with pytest.raises(ConfigurationError, match="no CUDA GPU"):
            Predictor(rgb_checkpoint, device="cuda")


def _times(predictions: list[Prediction]) -> list[tuple[float, float]]:
    return [(round(p.start_seconds, 6), round(p.end_seconds, 6)) for p in predictions]
