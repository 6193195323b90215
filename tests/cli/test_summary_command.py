"""``vidcls summary``: the table by hand for a small net, and one line for what it cannot show."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

Command = Callable[..., object]

# The single-frame network of 16, 32, 32 and 64 channels on one frame of 64x64, with 10 classes:
# kernel, stride, padding, output, parameters, multiply-adds = kernel area * channels in * values out.
SMALL_CONVOLUTIONS = [
    ("block1", "3x3", "2x2", "1x1", "16x32x32", 432, 9 * 3 * 16 * 32 * 32),
    ("block2", "3x3", "2x2", "1x1", "32x16x16", 4_608, 9 * 16 * 32 * 16 * 16),
    ("block3", "3x3", "2x2", "1x1", "32x8x8", 9_216, 9 * 32 * 32 * 8 * 8),
    ("block4", "3x3", "1x1", "1x1", "64x8x8", 18_432, 9 * 32 * 64 * 8 * 8),
]
SMALL_PARAMETERS = 32_976 + 64 * 10 + 10
SMALL_WORK = 442_368 + 1_179_648 + 589_824 + 1_179_648 + 640


def test_the_name_of_a_model_means_its_configuration(vidcls: Command) -> None:
    assert vidcls("summary", "Conv3D").out == vidcls("summary", "conv3d").out


def test_the_table_of_a_small_net_is_that_worked_out_by_hand(vidcls: Command) -> None:
    outcome = vidcls("summary", "single_frame", "--output", "layers.csv")
    assert outcome.status == 0
    with Path("layers.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    for block, kernel, stride, padding, output, parameters, work in SMALL_CONVOLUTIONS:
        row = rows[f"backbone.stages.{block}.0"]
        assert (row["kernel"], row["stride"], row["padding"], row["output_shape"]) == (kernel, stride, padding, output)
        assert (int(row["num_parameters"]), int(row["num_multiply_adds"])) == (parameters, work)
        assert f"{parameters:,}" in outcome.out
    assert f"parameters: {SMALL_PARAMETERS:,} " in outcome.out
    assert f"multiply-adds for one clip: {SMALL_WORK:,}" in outcome.out
    assert "receptive field of a unit of the features: 1 of the frames given" in outcome.out


def test_options_change_the_model_and_the_clip(vidcls: Command) -> None:
    more = ("--model.backbone", "resnet18", "--data.clip_len", "3", "--data.transform.crop_px", "[32, 48]")
    outcome = vidcls("summary", "single_frame", "--num_classes", "101", *more, "--output", "layers.json")
    assert outcome.status == 0
    assert "101 classes\n" in outcome.out
    assert "one clip of rgb: 3 x 3 x 32 x 48" in outcome.out
    rows = json.loads(Path("layers.json").read_text())
    stem = rows[0]
    assert (stem["kernel"], stem["output_shape"]) == ([7, 7], [64, 16, 24])
    assert stem["num_multiply_adds"] == 3 * (7 * 7 * 3 * 64 * 16 * 24)  # three frames


def test_a_checkpoint_is_shown_with_its_own_classes_and_size(vidcls: Command, trained: Path) -> None:
    outcome = vidcls("summary", trained / "checkpoints" / "best.ckpt")
    assert outcome.status == 0
    names = yaml.safe_load((trained / "config.yaml").read_text())["data"]
    assert names["transform"]["crop_px"] == 32
    assert "one clip of flow: 2 x 3 x 32 x 32" in outcome.out
    assert "TwoStream" in outcome.out.splitlines()[0]


def test_a_paper_network_without_its_data_is_shown(vidcls: Command) -> None:
    outcome = vidcls("summary", "configs/paper/two_stream_ucf101.yaml", "--num_classes", "101")
    assert outcome.status == 0
    assert "75,501,568" in outcome.out  # the first fully connected layer of CNN-M-2048


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no_such_config"], "no shipped configuration of that name"),
        (["no_such.ckpt"], "no_such.ckpt: no such file or folder: pass best"),
        (["single_frame", "--model.backbone", "resnet19"], "unknown backbone 'resnet19'"),
        (["single_frame", "--model.back", "small"], "back"),
        (["single_frame", "--num_classes", "0"], "not an integer of at least 1"),
        (["single_frame", "--output", "layers.txt"], "is written as .csv or .json"),
        (["single_frame", "--model.backbone", "cnn_m_2048"], "takes 224x224"),
    ],
)
def test_what_cannot_be_shown_is_one_line(vidcls: Command, words: list[str], message: str) -> None:
    assert message in vidcls("summary", *words).refusal()


def test_an_option_beside_a_checkpoint_is_refused(vidcls: Command, trained: Path) -> None:
    checkpoint = trained / "checkpoints" / "best.ckpt"
    assert "has no effect on a checkpoint" in vidcls("summary", checkpoint, "--num_classes", "3").refusal()
