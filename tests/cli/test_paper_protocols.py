"""How each configuration of a paper tests, as literals with their source; what differs is named in its first lines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
import yaml

from vidcls.cli.shipped_configs import configs_folder
from vidcls.types import ClipSettings

FILES = {path.stem: path for path in sorted(configs_folder().glob("paper/*.yaml"))}


@dataclass(frozen=True)
class Protocol:
    """A test.

    Args:
        num_clips: of a video.
        num_crops: of each clip.
        num_snippets: of each clip.
        score: what is averaged over clips, crops and streams.
        fusion: of the streams, where there are two that answer.
        source: of the paper's own numbers; "not checked" where the text was not at hand.
        named: words of the header that say what differs from it.
    """

    num_clips: int
    num_crops: int
    source: str
    named: tuple[str, ...] = ()
    num_snippets: int = 1
    score: Literal["probabilities", "logits"] = "probabilities"
    fusion: str | None = None


KARPATHY = Protocol(
    20,
    10,
    "Karpathy et al. 2014: 20 clips x 4 crops and flips, averaged over the video; that they are random: not checked",
    named=("20 clips", "4 crops and mirror images", "20 clips are evenly spaced, with 10 crops"),
)
X3D = "Feichtenhofer 2020, section 4: 10 clips, 3 crops; the sizes of the crops: the authors' code"
PROTOCOLS = {
    "c3d_ucf101": Protocol(
        10,
        1,
        "Tran et al. 2015: 10 clips; that they are random and of one centre crop each: not checked",
        named=("drawn\nat random; here they are evenly spaced",),
    ),
    "conv_fusion_ucf101": Protocol(
        25,
        1,
        "Feichtenhofer et al. 2016: entire frames and their mirror images; the number of frames: not checked",
        named=("entire frames and to their mirror images; here it is the centre crop of 25 frames, a number of ours",),
    ),
    "early_fusion_sports1m": KARPATHY,
    "gru_rcn_ucf101": Protocol(
        1,
        1,
        "Ballas et al. 2016: T = 10 evenly spaced frames; the number of clips and crops: not checked",
        named=("The test is ours: one clip of 10 evenly spaced\nframes, centre crop",),
        num_snippets=10,
    ),
    "late_fusion_sports1m": KARPATHY,
    "single_frame_sports1m": KARPATHY,
    "slow_fusion_sports1m": KARPATHY,
    "slowfast_kinetics400": Protocol(
        10,
        3,
        "Feichtenhofer et al. 2019, section 4: 10 clips, 3 crops of 256x256, softmax scores averaged",
        named=("three crops of\n256x256, here they are of 224x224",),
    ),
    "tsm_something_something": Protocol(
        1,
        1,
        "Lin et al. 2019: 8 frames, one clip and the centre crop where cost is compared; section 5.1",
        named=("one clip of 8 evenly spaced frames, centre crop",),
        num_snippets=8,
    ),
    "tsn_two_stream_ucf101": Protocol(
        8,
        10,
        "Wang et al. 2016: 25 snippets x 10 crops, 1 : 1.5; the authors' eval_net.py and eval_scores.py: "
        "scores of the last layer before softmax are averaged over crops and snippets and added over streams",
        named=("25\nsnippets, here it is 24 (8 clips of 3)", "averaged before softmax"),
        num_snippets=3,
        score="logits",
        fusion="weighted",
    ),
    "two_stream_i3d_ucf101": Protocol(
        4,
        1,
        "Carreira and Zisserman 2017; the authors' kinetics-i3d: whole videos, centre crop of 224, logits added evenly",
        named=("over the whole video at once; here it is 4 evenly spaced\nclips", "added with equal weights"),
        score="logits",
        fusion="mean",
    ),
    "two_stream_ucf101": Protocol(
        25,
        10,
        "Simonyan and Zisserman 2014: 25 frames x 10 crops, averaged; fusion by the mean of softmax scores",
        fusion="mean",
    ),
    "movinet_a0_kinetics600": Protocol(1, 1, "Kondratyuk et al. 2021; the authors' code: one clip, the centre of it"),
    "x3d_m_kinetics400": Protocol(10, 3, X3D, named=("three crops of 256x256, here they are of 224x224",)),
    "x3d_s_kinetics400": Protocol(10, 3, X3D, named=("three crops of 182x182, here they are of 160x160",)),
}


def test_there_is_a_protocol_for_each_configuration() -> None:
    assert PROTOCOLS.keys() == FILES.keys()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_configuration_tests_as_its_paper_does_or_names_the_difference(name: str) -> None:
    expected, text = PROTOCOLS[name], FILES[name].read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    data, model = config["data"], config["model"]["init_args"]
    assert data.get("test_clips", 1) == expected.num_clips
    assert data["transform"].get("test_crops", 1) == expected.num_crops
    assert data.get("num_snippets", ClipSettings().num_snippets) == expected.num_snippets
    assert data.get("score", "probabilities") == expected.score
    assert model.get("fusion") == expected.fusion
    if expected.fusion == "weighted":
        assert model["fusion_weights"] == [1.0, 1.5]
    header = "\n".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("#"))
    for words in expected.named:
        assert words in header


def test_the_header_of_every_configuration_names_what_deviates() -> None:
    for path in FILES.values():
        assert "# Deviations: " in Path(path).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Training:
    """How a paper trains.

    Args:
        num_epochs: over the training videos.
        lr: after the warm-up.
        num_clips: of a step, that the learning rate is meant for.
        warmup: share of all steps.
        weight_decay: of all parameters.
        dropout: before the classifier.
    """

    num_epochs: int
    lr: float
    num_clips: int
    warmup: float
    weight_decay: float
    dropout: float = 0.5


STEPS_OF_AN_EPOCH = 240_000 / 1024  # Kinetics-400, as the papers count it
X3D_TRAINING = Training(256, 1.6, 1024, 8000 / (256 * STEPS_OF_AN_EPOCH), 5e-5)
TRAININGS = {
    # Feichtenhofer et al. 2019, appendix: 256 epochs for up to 4 frames of the slow pathway, and 196 for more (8x8).
    "slowfast_kinetics400": Training(196, 1.6, 1024, 8000 / (196 * STEPS_OF_AN_EPOCH), 1e-4),
    "tsm_something_something": Training(50, 0.01, 64, 0.0, 1e-4),  # Lin et al. 2019, 5.1: half the epochs of Kinetics
    # Of the authors' code: 85785 steps of 1024 clips of some 366,000.
    "movinet_a0_kinetics600": Training(240, 1.8, 1024, 2145 / 85785, 3e-5, dropout=0.2),
    "x3d_m_kinetics400": X3D_TRAINING,
    "x3d_s_kinetics400": X3D_TRAINING,
}


@pytest.mark.parametrize("name", TRAININGS)
def test_a_configuration_trains_as_its_paper_does(name: str) -> None:
    expected, config = TRAININGS[name], yaml.safe_load(FILES[name].read_text(encoding="utf-8"))
    model, settings = config["model"]["init_args"], config["model"]["init_args"]["optimization"]
    assert config["trainer"]["max_epochs"] == expected.num_epochs
    assert settings["lr"] == expected.lr
    assert settings.get("lr_batch", config["data"]["batch_size"]) == expected.num_clips
    assert settings.get("warmup", 0) == pytest.approx(expected.warmup, abs=0.005)
    assert settings["weight_decay"] == expected.weight_decay
    assert model["dropout"] == expected.dropout
