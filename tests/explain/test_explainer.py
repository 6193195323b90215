from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from opened_files import watch_decoders

from vidcls.errors import ConfigurationError
from vidcls.explain import Explainer
from vidcls.explain.explainer import ClipHeat, Explanation
from vidcls.explain.laid_on import heat_colours, laid_on
from vidcls.explain.pictures import heat_by_frame, on_whole_frame, write_heat
from vidcls.explain.strip import strip_rows
from vidcls.models import Conv3D, SingleFrame, TwoStream
from vidcls.predict import Predictor
from vidcls.predict.prediction import Prediction
from vidcls.report.thumbnails import still_and_heat
from vidcls.transforms import Box, TransformSettings, centre_box
from vidcls.types import FLOW, RGB
from vidcls.video import open_video, write_video
from vidcls.video.source import LocalFile


@pytest.fixture(scope="module")
def video(clip_folder: Path) -> Path:
    """8 frames of 32x40 px."""
    return clip_folder / "test" / "left" / "0.avi"


@pytest.fixture(scope="module")
def two_stream(saved_model) -> Explainer:  # type: ignore[no-untyped-def]
    path = saved_model(TwoStream, {"spatial": "small", "temporal": "small"}, clip_len=2, flow_len=3, test_clips=2)
    return Explainer(path, device="cpu")


@pytest.fixture(scope="module")
def conv3d(saved_model) -> Explainer:  # type: ignore[no-untyped-def]
    return Explainer(saved_model(Conv3D, {"backbone": "small_3d"}, clip_len=4, test_clips=2), device="cpu")


def test_scores_are_those_of_a_prediction_and_the_predicted_class_is_explained(
    two_stream: Explainer, video: Path
) -> None:
    explanation = two_stream(video)
    expected = Predictor(two_stream.predictor.path, device="cpu")(video)
    assert explanation.prediction == expected
    assert explanation.class_name == expected.label
    assert explanation.score == max(expected.scores)


def test_each_stream_has_heat_for_the_frames_that_it_saw(two_stream: Explainer, video: Path) -> None:
    explanation = two_stream(video, class_name="right")
    assert explanation.titles == ("spatial", "temporal")
    assert len(explanation.clips) == 2
    for clip in explanation.clips:
        assert clip.streams == {"spatial": RGB, "temporal": FLOW}
        assert len(clip.frames["rgb"]) == len(clip.heats["spatial"]) == 2
        assert len(clip.frames["flow"]) == len(clip.heats["temporal"]) == 3
        assert all(heat.shape[1:] == (32, 32) and heat.min() >= 0 for heat in clip.heats.values())
    starts = [clip.frames["rgb"][0] for clip in explanation.clips]
    assert starts == sorted(starts)


def test_flow_that_is_estimated_on_the_device_is_explained_as_it_is_scored(saved_model, video: Path) -> None:  # type: ignore[no-untyped-def]
    path = saved_model(
        TwoStream, {"spatial": "small", "temporal": "small"}, clip_len=2, flow_len=2, flow_on="device", test_clips=1
    )
    explain = Explainer(path, device="cpu")
    explanation = explain(video)
    (clip,) = explanation.clips
    assert (clip.pixels["flow"].shape, clip.pixels["flow"].dtype) == ((2, 2, 32, 32), torch.float32)
    assert clip.pixels["flow"].abs().max() > 1  # the square moves by two pixels a frame
    assert clip.heats["temporal"].shape == (2, 32, 32)
    assert explain.over_time(video)[1].whole == pytest.approx(explanation.score, abs=1e-6)


def test_the_pixels_are_the_centre_of_the_frames_that_it_names(conv3d: Explainer, video: Path) -> None:
    clip = conv3d(video).clips[0]
    with open_video(video) as opened:
        frames = opened.frames(clip.frames["rgb"])
    assert torch.equal(clip.pixels["rgb"], frames[..., 4:36])  # 40 px wide, 32 in the middle are seen


@pytest.mark.parametrize(
    ("size", "settings", "box"),
    [
        ((32, 40), TransformSettings(resize_px=32, crop_px=32), (0, 4, 32, 32)),
        ((240, 320), TransformSettings(resize_px=120, crop_px=100), (20, 60, 200, 200)),
        ((320, 240), TransformSettings(resize_px=120, crop_px=(100, 60)), (60, 60, 200, 120)),
        ((50, 100), TransformSettings(resize_px=None, crop_px=100), (0, 25, 50, 50)),  # enlarged to fit
    ],
)
def test_the_box_is_what_the_centre_crop_shows_of_a_frame(
    size: tuple[int, int], settings: TransformSettings, box: tuple[int, ...]
) -> None:
    assert tuple(centre_box(size, settings)) == pytest.approx(box)


def test_heat_lies_on_the_part_of_the_frame_that_was_seen(conv3d: Explainer, video: Path) -> None:
    heat = on_whole_frame(conv3d(video), torch.ones(32, 32), (32, 40))
    assert heat[:, 4:36].min() == 1
    assert heat[:, :4].max() == heat[:, 36:].max() == 0


def test_frames_that_were_seen_have_their_heat(conv3d: Explainer, video: Path) -> None:
    explanation = conv3d(video)
    rows = [row for row in heat_by_frame(explanation, "model") if row is not None]
    assert len(rows) == 8  # two clips of four
    seen = [frame for clip in explanation.clips for frame in clip.frames["rgb"]]
    most = max(float(clip.heats["model"].max()) for clip in explanation.clips)
    for number, clip in enumerate(explanation.clips):
        for step, frame in enumerate(clip.frames["rgb"]):
            if seen.count(frame) == 1:
                assert torch.allclose(rows[frame][0], clip.heats["model"][step] / most)
                assert rows[frame][1:] == (number, step)
    assert 0.99 < max(float(heat.max()) for heat, _, _ in rows) <= 1.0001


def heat_at(frames: list[tuple[int, ...]], num_snippets: int = 1) -> list[float | None]:
    """The heat of each of ten frames: that of clips of these frames is 1 in the first and 3 in the last."""
    clips = tuple(
        ClipHeat(
            {"rgb": of_clip}, {}, {"model": torch.linspace(1, 3, len(of_clip))[:, None, None]}, {"model": RGB}, "rgb"
        )
        for of_clip in frames
    )
    explanation = Explanation(
        LocalFile(Path("a.mp4")),
        "gradcam",
        "a",
        Prediction(Path("a.mp4"), ("a", "b"), (0.5, 0.5), 0.0, 0.4, ("a",)),
        clips,
        Box(0, 0, 1, 1),
        10,
        25.0,
        num_snippets=num_snippets,
    )
    return [None if row is None else round(3 * float(row[0]), 6) for row in heat_by_frame(explanation, "model")]


def test_a_frame_that_the_network_did_not_see_has_no_heat() -> None:
    assert heat_at([(2, 4, 6)]) == [None, None, 1, 1.5, 2, 2.5, 3, None, None, None]
    assert heat_at([(1, 2), (6, 7)]) == [None, 1, 3, None, None, None, 1, 3, None, None]
    assert heat_at([(1, 2, 6, 7)], num_snippets=2)[3:6] == [None] * 3
    assert [k for k, heat in enumerate(heat_at([(0,), (5,), (9,)])) if heat is not None] == [0, 5, 9]


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    """Ten frames of 32x40 px, each as bright as its number says: 20 for each."""
    frames = torch.arange(10, dtype=torch.uint8).mul(20).view(-1, 1, 1, 1).expand(-1, 3, 32, 40)
    write_video(tmp_path / "counted.avi", frames.contiguous(), codec="mjpeg", quality=1)
    return tmp_path / "counted.avi"


@pytest.mark.parametrize("streams", ["both", "flow alone"])
def test_each_cell_of_a_strip_shows_the_frame_that_it_is_called(saved_model, counted: Path, streams: str) -> None:  # type: ignore[no-untyped-def]
    path = saved_model(TwoStream, {"spatial": "small", "temporal": "small"}, clip_len=1, flow_len=6)
    explanation = Explainer(path, device="cpu")(counted)
    clip = explanation.middle
    cold = dataclasses.replace(
        clip,
        heats={title: torch.zeros_like(heat) for title, heat in clip.heats.items()},
        shown=clip.shown if streams == "both" else None,
    )
    rows = strip_rows(dataclasses.replace(explanation, clips=(cold,)))
    assert len(rows[-2].frames) == 6
    for row in rows[:-1]:  # the last one is flow
        brightness = row.pictures.float().mean(dim=(1, 2, 3))
        assert brightness.tolist() == pytest.approx([20 * frame for frame in row.frames], abs=3)
    still, moving = still_and_heat(explanation)
    assert still != moving


def test_a_video_of_heat_shows_it_on_its_own_frames_alone_and_names_its_panels(  # type: ignore[no-untyped-def]
    saved_model, counted: Path, tmp_path: Path
) -> None:
    path = saved_model(TwoStream, {"spatial": "small", "temporal": "small"}, clip_len=1, flow_len=4)
    explanation = Explainer(path, device="cpu")(counted)
    (seen,) = explanation.clips[0].frames["rgb"]
    hot = {title: torch.ones_like(heat) for title, heat in explanation.clips[0].heats.items()}
    clips = (dataclasses.replace(explanation.clips[0], heats=hot),)
    write_heat(dataclasses.replace(explanation, clips=clips), tmp_path / "heat.mp4")
    with open_video(tmp_path / "heat.mp4") as film:
        frames = film.frames(range(film.num_frames)).float()
        held = max(1, round(0.5 * film.fps))
        assert 10 / film.fps == pytest.approx(3, rel=0.01)  # ten frames, slowed down
    assert frames.shape[2:] == (128 + 40, 4 * 160 + 3 * 4)
    assert len(frames) == 9 + held  # the one frame that the spatial stream saw stays for half a second
    video, spatial, temporal = (frames[:, :, 50:160, 164 * k + 40 : 164 * k + 120] for k in range(3))
    has_heat = [((one - video).abs().mean(dim=(1, 2, 3)) > 10).tolist() for one in (spatial, temporal)]
    assert [k for k, is_hot in enumerate(has_heat[0]) if is_hot] == list(range(seen, seen + held))
    number = video.mean(dim=(1, 2, 3)).div(20).round().int()
    assert sorted({int(n) for n, is_hot in zip(number, has_heat[1], strict=True) if is_hot}) == list(
        explanation.clips[0].frames["flow"]
    )
    names = frames[:, :, :20].amax(dim=(1, 2))  # (T, W)
    assert all(names[:, 164 * k : 164 * k + 160].max() > 150 for k in range(4))


def test_another_layer_is_explained_where_it_is_named(conv3d: Explainer, video: Path) -> None:
    own, other = conv3d(video), conv3d(video, layer="backbone.stages.block1")
    assert other.titles == ("backbone.stages.block1",)
    assert not torch.allclose(own.clips[0].heats["model"], other.clips[0].heats["backbone.stages.block1"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_name": "lef"}, "it knows left"),
        ({"layer": "backbone.stages.block9"}, "near it: backbone.stages.block"),
        ({"method": "magic"}, "allowed are gradcam"),
        ({"method": "saliency", "layer": "model"}, "made at the input"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    conv3d: Explainer, video: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        conv3d(video, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".png"])
def test_pictures_and_films_are_written_with_their_numbers(
    two_stream: Explainer, video: Path, tmp_path: Path, suffix: str
) -> None:
    explanation = two_stream(video)
    files = write_heat(explanation, tmp_path / "new" / f"heat{suffix}")
    assert [file.name for file in files] == [f"heat{suffix}", "heat.npz"]
    numbers = np.load(files[1])
    assert str(numbers["class_name"]) == explanation.class_name
    assert np.array_equal(numbers["temporal_1"], explanation.clips[1].heats["temporal"].numpy())
    assert list(numbers["spatial_0_frames"]) == list(explanation.clips[0].frames["rgb"])
    if suffix == ".mp4":
        with open_video(files[0]) as film:
            assert film.num_frames == 8
            # video, spatial, temporal on frame and flow, four times as large, under two lines of text
            assert (film.info.height_px, film.info.width_px) == (4 * 32 + 40, 4 * 4 * 40 + 3 * 4)  # and gaps of 4 px
            first = film.frames([0])[0].float()
        with open_video(video) as original:
            difference = (first[:, 40::4, : 4 * 40 : 4] - original.frames([0])[0].float()).abs().mean()
        assert difference < 6  # lossy, but the video
    else:
        assert files[0].stat().st_size > 3000


def test_where_it_is_cold_the_frame_stays_and_where_it_is_hot_half_of_it_shows() -> None:
    frame = torch.full((3, 2, 2), 100, dtype=torch.uint8)
    heat = torch.tensor([[0.0, 1.0], [0.5, 2.0]])
    shown = laid_on(frame, heat).float()
    hottest = heat_colours(torch.ones(1, 1))[:, 0, 0].float()
    assert torch.equal(shown[:, 0, 0], torch.full((3,), 100.0))
    assert torch.allclose(shown[:, 0, 1], (100 + hottest) / 2, atol=1)
    assert torch.equal(shown[:, 0, 1], shown[:, 1, 1])  # above 1 nothing more happens


def test_a_still_model_of_one_frame_is_explained_too(saved_model, video: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    explain = Explainer(saved_model(SingleFrame, {"backbone": "small"}), device="cpu")
    for method in ("cam", "gradcam", "saliency", "integrated_gradients", "occlusion"):
        explanation = explain(video, method=method)  # type: ignore[arg-type]
        assert explanation.clips[0].heats[explanation.titles[0]].shape == (1, 32, 32)
    write_heat(explanation, tmp_path / "heat.png")


def test_all_that_is_made_of_one_video_opens_its_file_once_and_says_the_same(
    two_stream: Explainer, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, effects = two_stream(video), two_stream.over_time(video)
    write_heat(alone, tmp_path / "alone.gif")
    opened = watch_decoders(monkeypatch)
    with two_stream.open(video) as shared:
        explanation = two_stream(shared)
        write_heat(explanation, tmp_path / "shared.gif", shared)
        assert two_stream.over_time(shared) == effects
    assert opened == [("decord", video)]
    assert explanation.prediction == alone.prediction
    for clip, expected in zip(explanation.clips, alone.clips, strict=True):
        assert all(torch.equal(heat, expected.heats[title]) for title, heat in clip.heats.items())
    assert (tmp_path / "shared.gif").read_bytes() == (tmp_path / "alone.gif").read_bytes()


def test_every_picture_of_a_video_is_read_by_the_decoder_that_the_checkpoint_names(
    saved_model,  # type: ignore[no-untyped-def]
    video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    explain = Explainer(saved_model(SingleFrame, {"backbone": "small"}, decoder="pyav"), device="cpu")
    opened = watch_decoders(monkeypatch)
    write_heat(explain(video), tmp_path / "heat.mp4")
    explain.over_time(video)
    assert opened == [("pyav", video)] * 3
