"""What ``vidcls probe`` sets of the input, by the name of the network."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import two_stream
from lightning.pytorch import Trainer

from vidcls.cli import probe_input
from vidcls.cli.probe_input import with_input
from vidcls.cli.words import Words
from vidcls.layers.backbones.made_for import BackboneInput
from vidcls.types import ClipSettings

CROP = ("--data.transform.crop_px", "[32, 32]")  # passed, so that no video is opened


def options(*words: str) -> Words:
    return Words(with_input([*words, *CROP]))


def test_a_folder_that_is_called_like_a_backbone_is_not_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("resnet18").mkdir()
    found = options("--model.backbone", "resnet18", "--model.weights", "DEFAULT")
    assert found.last("--model.backbone") == "resnet18"
    assert found.last("--data.transform.rgb_mean") == "[0.485, 0.456, 0.406]"


@pytest.mark.parametrize(("backbone", "clip_len", "num_snippets"), [("r3d_18", "16", "4"), ("resnet18", None, None)])
def test_a_video_network_sees_several_clips_of_its_own_length(
    backbone: str, clip_len: str | None, num_snippets: str | None
) -> None:
    found = options("--model.backbone", backbone, "--model.weights", "DEFAULT")
    assert found.last("--data.clip_len") == clip_len
    assert found.last("--data.num_snippets") == num_snippets


def test_what_is_passed_counts_more_than_what_the_network_was_made_for() -> None:
    found = options("--model.backbone", "r3d_18", "--data.clip_len", "8")
    assert found.last("--data.clip_len") == "8"
    assert found.last(CROP[0]) == CROP[1]


def test_a_network_of_many_frames_sees_the_whole_video_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = BackboneInput((32, 32), num_frames=64)
    monkeypatch.setattr(probe_input, "input_of", lambda *_, **__: made)
    found = options("--model.backbone", "hf/vjepa2", "--model.weights", "DEFAULT")
    assert [found.last(f"--{name}") for name in ("data.clip_len", "data.num_snippets", "model.snippets")] == [
        "1",
        "64",
        "join",
    ]


def test_a_trained_two_stream_model_gives_its_temporal_stream(tmp_path: Path) -> None:
    trainer = Trainer(logger=False, enable_checkpointing=False, accelerator="cpu", barebones=True)
    trainer.strategy.connect(two_stream(clip=ClipSettings(flow_len=6)))
    file = tmp_path / "two_stream.ckpt"
    trainer.save_checkpoint(file)
    found = options("--model.flow_backbone", str(file))
    names = ("model.flow_backbone", "model.flow_weights", "model.flow_as", "data.flow_len")
    assert [found.last(f"--{name}") for name in names] == ["small", str(file), "stacks", "6"]
