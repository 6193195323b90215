"""Training and test transforms: one draw for every frame, for RGB and for flow."""

from __future__ import annotations

from collections import Counter

import hypothesis
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from vidcls.transforms import (
    ClipPixels,
    FlowField,
    Kinds,
    TransformSettings,
    augmented,
    evaluation_transform,
    train_crop,
)
from vidcls.transforms.clip import centre_box, multi_scale_boxes
from vidcls.transforms.settings import Crop

KINDS: Kinds = {"rgb": "rgb", "flow": "flow"}


def painted(height: int = 40, width: int = 60, *, num_frames: int = 3, num_fields: int = 4) -> ClipPixels:
    """RGB and flow that hold the position of each pixel: red and flow x the column, green and flow y the row."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    rgb = torch.stack([x, y, torch.zeros_like(x)]).to(torch.uint8).repeat(num_frames, 1, 1, 1)
    flow = torch.stack([x, y]).float().repeat(num_fields, 1, 1, 1)
    return {"rgb": rgb, "flow": flow}


def train_transform(clip: ClipPixels, settings: TransformSettings, *, seed: int) -> tuple[ClipPixels, bool]:
    """A training clip as it is fed, and whether it was mirrored."""
    cropped, drawn = train_crop(clip, KINDS, settings, seed=seed)
    return augmented(cropped, KINDS, drawn), drawn.flipped


def views_of(clip: ClipPixels, settings: TransformSettings) -> list[ClipPixels]:
    return evaluation_transform(clip, KINDS, settings)


def settings(**changes: object) -> TransformSettings:
    return TransformSettings(**{"resize_px": None, "crop_px": 24, **changes})  # type: ignore[arg-type]


def corner(pixels: ClipPixels) -> tuple[int, int]:
    """Row and column of the first pixel of a crop that was neither resized nor mirrored."""
    return int(pixels["rgb"][0, 1, 0, 0]), int(pixels["rgb"][0, 0, 0, 0])


def both(pixels: ClipPixels) -> tuple[Tensor, Tensor]:
    return pixels["rgb"], pixels["flow"]


@pytest.mark.parametrize("seed", range(20))
def test_rgb_and_flow_get_the_same_crop_and_the_same_flip_in_every_frame(seed: int) -> None:
    pixels, flipped = train_transform(painted(), settings(), seed=seed)
    rgb, flow = both(pixels)
    assert rgb.shape == (3, 3, 24, 24)
    assert flow.shape == (4, 2, 24, 24)
    assert (rgb == rgb[:1]).all()
    assert (flow == flow[:1]).all()
    assert torch.equal(rgb[0, 0].float(), -flow[0, 0] if flipped else flow[0, 0])
    assert torch.equal(rgb[0, 1].float(), flow[0, 1])
    columns = rgb[0, 0, 0].tolist()
    assert columns == list(range(columns[0], columns[0] + 24)) or (flipped and columns == sorted(columns)[::-1])


@pytest.mark.parametrize("train_crop", ["random_resized", "multi_scale"])
@pytest.mark.parametrize("seed", range(10))
def test_a_resized_crop_shows_the_same_place_in_rgb_and_flow_and_scales_the_vectors(train_crop: str, seed: int) -> None:
    pixels, _ = train_transform(painted(), settings(train_crop=train_crop, flip_probability=0.0), seed=seed)
    rgb, flow = both(pixels)
    slopes = [float(rgb[0, c].float().diff(dim=1 - c).mean()) for c in (0, 1)]  # source pixels for each pixel shown
    for channel in (0, 1):
        in_source_px = flow[0, channel] * slopes[channel]
        assert (in_source_px - rgb[0, channel].float())[4:-4, 4:-4].abs().max() < 2.5


def test_random_crops_reach_every_place_and_nothing_beyond() -> None:
    corners = {
        corner(train_transform(painted(26, 28), settings(flip_probability=0.0), seed=seed)[0]) for seed in range(300)
    }
    assert corners == {(top, left) for top in range(3) for left in range(5)}


def test_a_centre_crop_in_training_is_that_of_the_test() -> None:
    pixels, _ = train_transform(painted(), settings(train_crop="center", flip_probability=0.0), seed=0)
    assert corner(pixels) == corner(views_of(painted(), settings())[0]) == (8, 18)


# Wang et al. 2016: sides from {256, 224, 192, 168} of a picture of 256 px, height and width at most one scale apart.
TSN_SIDES = [
    (h, w) for i, h in enumerate((256, 224, 192, 168)) for j, w in enumerate((256, 224, 192, 168)) if abs(i - j) <= 1
]


def test_every_pair_of_sides_of_multi_scale_has_the_same_share_and_every_place_too() -> None:
    """The evaluation tools of TSN draw one of the ten valid pairs, and one of the places, each evenly."""
    boxes = multi_scale_boxes(256, 340)
    assert len(TSN_SIDES) == 10
    assert Counter((height, width) for _, _, height, width in boxes) == dict.fromkeys(TSN_SIDES, len(boxes) // 10)
    for height, width in TSN_SIDES:
        down, right = 256 - height, 340 - width
        places = [(top, left) for top, left, *sides in boxes if sides == [height, width]]
        assert places == [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]


def test_multi_scale_draws_its_boxes_evenly() -> None:
    """What the crop shows tells which box it was; 2,000 draws are 200 of each pair, standard deviation 13.4."""
    chosen = settings(crop_px=(8, 8), train_crop="multi_scale", flip_probability=0.0)
    clip = painted(32, 60, num_frames=1, num_fields=1)
    boxes = multi_scale_boxes(32, 60)
    seen_of = [edges_of(clip, box) for box in boxes]
    drawn = Counter(edges(train_transform(clip, chosen, seed=seed)[0]) for seed in range(2000))
    assert set(drawn) == set(seen_of)
    by_pair: Counter[tuple[int, int]] = Counter()
    for (_, _, height, width), seen in zip(boxes, seen_of, strict=True):
        by_pair[height, width] += drawn[seen] / seen_of.count(seen)  # type: ignore[assignment]  # top and bottom can be one
    assert len(by_pair) == 10
    assert all(155 <= count <= 245 for count in by_pair.values())
    assert all(15 <= count / seen_of.count(seen) <= 65 for seen, count in drawn.items())  # mean 40, deviation 6.3


def edges(pixels: ClipPixels) -> tuple[float, ...]:
    """The flow at the first and the last pixel, which tells the place and the sides of the crop."""
    flow = both(pixels)[1]
    return (*flow[0, :, 0, 0].tolist(), *flow[0, :, -1, -1].tolist())


def edges_of(clip: ClipPixels, box: tuple[int, int, int, int]) -> tuple[float, ...]:
    resized = F.resized_crop(FlowField.wrap(both(clip)[1]), *box, [8, 8], antialias=True)
    return edges({**clip, "flow": resized.as_subclass(Tensor)})


def test_a_clip_is_mirrored_as_often_as_asked_and_says_so() -> None:
    flips = [train_transform(painted(24, 24), settings(flip_probability=0.25), seed=seed)[1] for seed in range(400)]
    assert 70 <= sum(flips) <= 130  # mean 100, standard deviation 8.7
    assert not any(train_transform(painted(24, 24), settings(flip_probability=0.0), seed=s)[1] for s in range(20))
    assert all(train_transform(painted(24, 24), settings(flip_probability=1.0), seed=s)[1] for s in range(20))


def test_colour_jitter_is_the_same_for_every_frame_and_leaves_flow_alone() -> None:
    plain, _ = train_transform(painted(), settings(flip_probability=0.0), seed=3)
    jittered, _ = train_transform(painted(), settings(flip_probability=0.0, color_jitter=0.8), seed=3)
    assert not torch.equal(both(plain)[0], both(jittered)[0])
    assert torch.equal(both(plain)[1], both(jittered)[1])
    assert (both(jittered)[0] == both(jittered)[0][:1]).all()


def test_equal_seeds_give_equal_clips_and_other_seeds_others() -> None:
    strong = settings(train_crop="random_resized", color_jitter=0.5)
    first, again, other = (train_transform(painted(), strong, seed=seed)[0] for seed in (5, 5, 6))
    assert torch.equal(both(first)[0], both(again)[0])
    assert torch.equal(both(first)[1], both(again)[1])
    assert not torch.equal(both(first)[0], both(other)[0])


def test_the_state_of_torch_is_left_as_it_was() -> None:
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    train_transform(painted(), settings(color_jitter=0.5), seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("train_crop", ["center", "random", "random_resized", "multi_scale"])
@pytest.mark.parametrize("stream", ["rgb", "flow"])
def test_one_stream_alone_is_transformed_as_beside_the_other(stream: str, train_crop: str) -> None:
    chosen = settings(train_crop=train_crop)
    whole, _ = train_transform(painted(), chosen, seed=9)
    alone, _ = train_transform({stream: painted()[stream]}, chosen, seed=9)
    assert list(alone) == [stream]
    assert torch.equal(alone[stream], whole[stream])


def test_flow_of_another_size_comes_to_the_size_of_rgb_with_its_vectors_scaled() -> None:
    clip = {**painted(), "flow": torch.full((4, 2, 20, 15), 3.0)}  # half as high, a quarter as wide
    _, flow = both(views_of(clip, settings())[0])
    assert flow.shape == (4, 2, 24, 24)
    assert torch.allclose(flow[:, 0], torch.tensor(12.0))
    assert torch.allclose(flow[:, 1], torch.tensor(6.0))


def test_the_first_resize_brings_the_short_side_to_the_size_asked() -> None:
    clip = {**painted(40, 60), "flow": torch.full((4, 2, 40, 60), 4.0)}
    rgb, flow = both(views_of(clip, settings(resize_px=30, crop_px=30))[0])
    assert rgb.shape == (3, 3, 30, 30)
    assert torch.allclose(flow, torch.tensor(3.0))


def test_a_video_smaller_than_the_crop_is_enlarged_not_padded() -> None:
    clip = {"rgb": torch.full((3, 3, 12, 20), 77, dtype=torch.uint8), "flow": torch.full((4, 2, 12, 20), 1.0)}
    for pixels in (views_of(clip, settings())[0], train_transform(clip, settings(flip_probability=0.0), seed=0)[0]):
        rgb, flow = both(pixels)
        assert rgb.shape == (3, 3, 24, 24)
        assert (rgb == 77).all()
        assert torch.allclose(flow, torch.tensor(2.0))


def test_three_crops_lie_left_centre_and_right_or_top_middle_and_bottom() -> None:
    assert [corner(p) for p in views_of(painted(40, 60), settings(test_crops=3))] == [(8, 0), (8, 18), (8, 36)]
    assert [corner(p) for p in views_of(painted(60, 40), settings(test_crops=3))] == [(0, 8), (18, 8), (36, 8)]


def test_ten_crops_are_four_corners_and_the_centre_and_these_mirrored() -> None:
    crops = views_of(painted(), settings(test_crops=10))
    assert [corner(p) for p in crops[:5]] == [(0, 0), (0, 36), (16, 0), (16, 36), (8, 18)]
    mirrored_corner_of = {0: 1, 1: 0, 2: 3, 3: 2, 4: 4}  # the left corner of the mirrored picture is its right one
    for k, source in mirrored_corner_of.items():
        rgb, flow = both(crops[5 + k])
        source_rgb, source_flow = both(crops[source])
        assert torch.equal(rgb, source_rgb.flip(-1))
        assert torch.equal(flow[:, 0], -source_flow[:, 0].flip(-1))
        assert torch.equal(flow[:, 1], source_flow[:, 1].flip(-1))


def test_two_crops_are_the_centre_and_it_mirrored() -> None:
    centre, mirrored = views_of(painted(), settings(test_crops=2))
    assert corner(centre) == (8, 18)
    (rgb, flow), (source_rgb, source_flow) = both(mirrored), both(centre)
    assert torch.equal(rgb, source_rgb.flip(-1))
    assert torch.equal(flow[:, 0], -source_flow[:, 0].flip(-1))
    assert torch.equal(flow[:, 1], source_flow[:, 1].flip(-1))


def test_a_stretched_frame_is_seen_whole_and_its_flow_is_scaled_by_axis() -> None:
    stretched = settings(stretch=True, crop_px=(20, 20), resize_px=10)
    clip = {"rgb": torch.full((3, 3, 40, 60), 77, dtype=torch.uint8), "flow": torch.ones(4, 2, 40, 60)}
    for pixels in (views_of(clip, stretched)[0], train_transform(clip, stretched, seed=0)[0]):
        rgb, flow = both(pixels)
        assert rgb.shape == (3, 3, 20, 20)
        assert torch.allclose(flow[:, 0].abs(), torch.tensor(20 / 60))
        assert torch.allclose(flow[:, 1], torch.tensor(20 / 40))
    rgb, _ = both(views_of(painted(), stretched)[0])
    edges = [int(rgb[0, 0, 10, 0]), int(rgb[0, 0, 10, -1]), int(rgb[0, 1, 0, 10]), int(rgb[0, 1, -1, 10])]
    assert edges == pytest.approx([1, 58, 0.5, 38.5], abs=1.5)
    assert centre_box((40, 60), stretched) == (0, 0, 40, 60)


def test_label_swaps_work_in_both_directions() -> None:
    swaps = settings(flip_label_swaps={"left": "right"})
    assert [swaps.swapped_label(label) for label in ("left", "right", "jump")] == ["right", "left", "jump"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"crop_px": 0}, "crop_px must be at least 1"),
        ({"resize_px": 20}, r"resize_px \(20\) must not be smaller than crop_px \(24\)"),
        ({"flip_probability": 1.5}, "flip_probability must lie in 0 to 1, got 1.5"),
        ({"color_jitter": -0.1}, "color_jitter must lie in 0 to 1"),
        ({"min_area": 0.0}, "min_area must lie in 0"),
        ({"flow_std_px": 0.0}, "must be positive"),
        ({"test_crops": 10, "flip_label_swaps": {"left": "right"}}, "use 1 or 3"),
        ({"test_crops": 2, "flip_label_swaps": {"left": "right"}}, "use 1 or 3"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        settings(**changes)


def test_a_crop_that_is_not_square_keeps_rgb_and_flow_together() -> None:
    wide = settings(crop_px=(20, 50))
    pixels, flipped = train_transform(painted(), wide, seed=2)
    rgb, flow = both(pixels)
    assert rgb.shape[-2:] == flow.shape[-2:] == (20, 50)
    assert torch.equal(rgb[0, 0].float(), -flow[0, 0] if flipped else flow[0, 0])
    assert [corner(p) for p in views_of(painted(), wide)] == [(10, 5)]
    small = {"rgb": torch.full((3, 3, 12, 20), 77, dtype=torch.uint8)}
    enlarged = views_of(small, wide)[0]["rgb"]
    assert enlarged.shape == (3, 3, 20, 50)
    assert (enlarged == 77).all()


@given(
    size=st.tuples(st.integers(20, 90), st.integers(20, 90)),
    crop=st.tuples(st.integers(8, 20), st.integers(8, 20)),
    resize_px=st.none() | st.integers(20, 64),
    train_crop=st.sampled_from(["center", "random", "random_resized", "multi_scale"]),
    seed=st.integers(0, 10_000),
)
@hypothesis.settings(max_examples=60)
def test_rgb_and_flow_show_one_place_and_vectors_are_scaled_as_the_picture_is(
    size: tuple[int, int], crop: tuple[int, int], resize_px: int | None, train_crop: Crop, seed: int
) -> None:
    """Red is the column and flow x is it too, so that flow x by red is how much wider the picture was made."""
    chosen = settings(crop_px=crop, resize_px=resize_px, train_crop=train_crop, flip_probability=0.5)
    clip = painted(*size)
    pixels, flipped = train_transform(clip, chosen, seed=seed)
    rgb, flow = both(pixels)
    assert rgb.shape == (3, 3, *crop)
    assert flow.shape == (4, 2, *crop)
    again, _ = train_transform(clip, chosen, seed=seed)
    assert torch.equal(again["rgb"], rgb)
    assert torch.equal(again["flow"], flow)
    columns, rows = rgb[0, 0].float(), rgb[0, 1].float()
    for values, vectors in ((columns, -flow[0, 0] if flipped else flow[0, 0]), (rows, flow[0, 1])):
        scale = float((values * vectors).sum() / (values * values).sum().clamp(min=1))
        assert (vectors - scale * values).abs().max() <= 1.1 * max(scale, 1.0)  # RGB is rounded to whole numbers
