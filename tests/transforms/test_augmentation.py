"""RandAugment, affine maps and erasing: one draw for all frames, and flow as motion."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from vidcls.flow import estimate, fields
from vidcls.transforms import Augmentation, ClipPixels, Kinds, TransformSettings, augmented, train_crop
from vidcls.transforms.operations import drawn_operations

KINDS: Kinds = {"rgb": "rgb", "flow": "flow", "pairs": "frame_pairs"}
PLAIN = TransformSettings(resize_px=None, crop_px=(40, 48), train_crop="random", flip_probability=0.5, color_jitter=0.4)
EVERY = {
    "rotation": {"rotation_degrees": 20.0},
    "shear": {"shear_degrees": 15.0},
    "scale": {"scale_range": (0.8, 1.25)},
    "rand_augment": {"rand_augment": 2, "rand_augment_magnitude": 12},
    "erasing": {"erasing_probability": 1.0},
}


def clip(num_frames: int = 4, size: tuple[int, int] = (48, 56)) -> ClipPixels:
    """A texture that stands still, and a field of (2, 1) px everywhere."""
    noise = torch.rand(1, 3, 12, 14, generator=torch.Generator().manual_seed(0))
    frame = (torch.nn.functional.interpolate(noise, size=size, mode="bilinear") * 255).to(torch.uint8)
    frames = frame.repeat(num_frames, 1, 1, 1)
    flow = torch.tensor([2.0, 1.0]).view(1, 2, 1, 1).repeat(3, 1, *size)
    return {"rgb": frames, "flow": flow, "pairs": frames.repeat_interleave(2, 0)}


def transformed(settings: TransformSettings, seed: int, pixels: ClipPixels | None = None) -> ClipPixels:
    pixels = clip() if pixels is None else pixels
    return augmented(*_cropped(pixels, settings, seed))


def _cropped(pixels: ClipPixels, settings: TransformSettings, seed: int) -> tuple[ClipPixels, Kinds, Augmentation]:
    kinds = {name: KINDS[name] for name in pixels}
    cropped, drawn = train_crop(pixels, kinds, settings, seed=seed)
    return cropped, kinds, drawn


@pytest.mark.parametrize("change", EVERY.values(), ids=EVERY)
def test_the_draws_before_stay_what_they_were_and_what_is_added_is_the_same_in_every_frame(
    change: dict[str, float],
) -> None:
    chosen = replace(PLAIN, **change)  # type: ignore[arg-type]
    num_changed = 0
    for seed in range(12):
        cropped, _, drawn = _cropped(clip(), chosen, seed)
        before, _, plainly = _cropped(clip(), PLAIN, seed)
        assert all(torch.equal(cropped[name], before[name]) for name in KINDS)
        assert drawn[:2] == plainly[:2]
        assert plainly == Augmentation(*plainly[:2], fill=plainly.fill)
        after, without = transformed(chosen, seed), transformed(PLAIN, seed)
        for name in ("rgb", "flow"):
            assert after[name].shape == without[name].shape
            assert torch.equal(after[name], after[name][:1].expand_as(after[name])), name
        assert torch.equal(after["pairs"][0], after["pairs"][-1])
        again = transformed(chosen, seed)
        assert all(torch.equal(again[name], after[name]) for name in KINDS)
        num_changed += any(not torch.equal(after[name], without[name]) for name in KINDS)
    assert num_changed >= 10


def test_randaugment_of_one_frame_is_torchvisions() -> None:
    """The same draws from the same random state, so every operation is met, each with both signs."""
    seen = set()
    for seed in range(80):
        frame = clip(1)["rgb"]
        torch.manual_seed(seed)
        operations = drawn_operations(2, 10, (48, 56))
        ours = augmented({"rgb": frame}, {"rgb": "rgb"}, Augmentation(operations=operations, fill=(9.0, 99.0, 199.0)))
        torch.manual_seed(seed)
        theirs = v2.RandAugment(2, 10, interpolation="bilinear", fill=[9.0, 99.0, 199.0])(tv_tensors.Video(frame))
        assert torch.equal(ours["rgb"], theirs.as_subclass(Tensor)), operations
        seen |= {(name, magnitude < 0) for name, magnitude in operations}
    assert len({name for name, _ in seen}) == 14
    assert len(seen) == 14 + 9


@pytest.mark.parametrize("name", ["AutoContrast", "Equalize", "Contrast"])
def test_an_operation_that_looks_at_the_whole_picture_looks_at_the_whole_clip(name: str) -> None:
    """Else a clip that gets darker would get flat: two streams of one clip have one mapping of values."""
    frames = torch.stack([clip(1)["rgb"][0] // (k + 2) + 20 for k in range(4)])
    drawn = Augmentation(operations=((name, 0.6),))  # type: ignore[arg-type]
    changed = augmented({"fast": frames, "slow": frames[::2]}, {"fast": "rgb", "slow": "rgb"}, drawn)
    assert torch.equal(changed["fast"][::2], changed["slow"])
    for channel in range(3):
        mapping: dict[int, int] = {}
        values = frames[:, channel].flatten().tolist(), changed["fast"][:, channel].flatten().tolist()
        if name != "Contrast":  # which mixes with the grey of the clip: one factor and one shift in all
            assert all(mapping.setdefault(old, new) == new for old, new in zip(*values, strict=True))
    brightness = changed["fast"].float().mean((1, 2, 3))
    assert (brightness.diff() < 0).all()


def test_colours_change_in_rgb_alone_and_what_moves_the_picture_moves_all() -> None:
    pixels = clip()
    for name in ("Brightness", "Posterize", "Solarize", "Equalize", "Sharpness", "Color"):
        changed = augmented(pixels, KINDS, Augmentation(operations=((name, 0.5),)))  # type: ignore[arg-type]
        assert torch.equal(changed["flow"], pixels["flow"])
        assert torch.equal(changed["pairs"], pixels["pairs"])
    turned = augmented(pixels, KINDS, Augmentation(operations=(("Rotate", 90.0),)))  # type: ignore[arg-type]
    assert torch.allclose(turned["flow"][0, :, 24, 28], torch.tensor([1.0, -2.0]), atol=1e-5)
    assert torch.equal(turned["pairs"][0], turned["rgb"][0])


def test_the_erased_box_is_the_mean_colour_where_nothing_moves_and_of_the_area_asked_for() -> None:
    chosen = TransformSettings(
        resize_px=None, crop_px=(40, 48), train_crop="center", flip_probability=0, erasing_probability=0.5
    )
    mean = torch.tensor([round(255 * value) for value in chosen.rgb_mean]).view(3, 1, 1)
    shares = []
    for seed in range(60):
        _, _, drawn = _cropped(clip(), chosen, seed)
        pixels = transformed(chosen, seed)
        still = (pixels["flow"] == 0).all(1)
        if drawn.erased is None:
            assert not still.any()
            continue
        top, left, height, width = drawn.erased
        box = torch.zeros(40, 48, dtype=torch.bool)
        box[top : top + height, left : left + width] = True
        assert (still == box).all()
        for name in ("rgb", "pairs"):
            assert (pixels[name].long() * box == mean * box).all()
        shares.append(float(box.float().mean()))
    assert 20 <= len(shares) <= 40
    assert 0.01 < min(shares) < 0.1 < max(shares) < 0.35


def test_flow_of_an_augmented_clip_is_that_estimated_of_its_frames() -> None:
    """Rotation, shear and scale together on frames that glide, by DIS; where no border is in sight."""
    noise = torch.rand(1, 1, 40, 48, generator=torch.Generator().manual_seed(3))
    texture = torch.nn.functional.interpolate(noise, size=(160, 192), mode="bicubic").clamp(0, 1)[0] * 255
    frames = torch.stack([texture[:, 20:148, 30 - 3 * t : 174 - 3 * t] for t in range(3)]).repeat(1, 3, 1, 1)
    pixels = {"rgb": frames.to(torch.uint8), "flow": estimate(frames.to(torch.uint8))}
    settings = TransformSettings(
        **{"resize_px": None, "crop_px": (120, 136), "flip_probability": 0.5},  # type: ignore[arg-type]
        **{"rotation_degrees": 40.0, "shear_degrees": 15.0, "scale_range": (0.9, 1.2)},  # type: ignore[arg-type]
    )
    for seed in range(4):
        done = transformed(settings, seed, pixels)
        middle = (..., slice(45, 75), slice(50, 86))
        assert fields.end_point_error(done["flow"][middle], estimate(done["rgb"])[middle]) < 0.3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rotation_degrees": -1.0}, "rotation_degrees must lie in 0 to 180"),
        ({"shear_degrees": 90.0}, "shear_degrees must lie in 0 to 90"),
        ({"scale_range": (1.2, 0.8)}, "scale_range is the smallest and the largest factor"),
        ({"rand_augment": -1}, "rand_augment is a number of operations"),
        ({"rand_augment_magnitude": 31}, "rand_augment_magnitude must lie in 0 to 30"),
        ({"erasing_probability": 1.5}, "erasing_probability must lie in 0 to 1"),
        ({"erasing_area": (0.0, 0.3)}, "erasing_area is the smallest and the largest share"),
    ],
)
def test_values_outside_their_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformSettings(**changes)  # type: ignore[arg-type]
