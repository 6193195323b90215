"""What a page says of the clips that it shows."""

from __future__ import annotations

from factories import video_data

from vidcls.datasets import VideoFolder
from vidcls.report.input_words import input_words
from vidcls.transforms import TransformSettings


def test_sampling_sizes_and_augmentation_are_said(clip_dataset: VideoFolder) -> None:
    transform = TransformSettings(
        resize_px=128,
        crop_px=(112, 96),
        train_crop="random_resized",
        flip_probability=0.5,
        color_jitter=0.25,
        test_crops=3,
        rotation_degrees=15,
        scale_range=(0.8, 1.2),
        rand_augment=2,
        erasing_probability=0.25,
        reverse_probability=0.5,
        reverse_labels={"left": "right"},
        speed_range=(0.5, 2.0),
    )
    data = video_data(
        clip_dataset, streams=("rgb", "flow"), clip_len=4, stride=2, flow_len=5, test_clips=2, transform=transform
    )
    words = input_words(data, "the configuration two_stream")
    assert words.startswith(
        "Seen by the configuration two_stream: a clip has 4 frames, 2 apart, and 5 fields of optical"
    )
    assert "a short side of 128 px, of which the network sees 112x96 px" in words
    assert "random size (from 30 % of the frame)" in words
    assert "mirrored in 50 % of the samples, colours changed by up to 25 %, turned by up to 15 degrees, " in words
    assert "scaled to 80 to 120 %, 2 operations of RandAugment of magnitude 9, " in words
    assert "played backwards in 50 %, at 0.5 to 2 times the speed, a box erased in 25 %. Test" in words
    assert "Test: 2 clips x 3 crops" in words


def test_what_is_not_done_is_not_said(clip_dataset: VideoFolder) -> None:
    transform = TransformSettings(resize_px=None, crop_px=32, train_crop="center", flip_probability=0.0)
    words = input_words(video_data(clip_dataset, clip_len=1, transform=transform))
    assert words.startswith("A clip has 1 frame, at the video's own size")
    assert "the centre, never mirrored." in words
