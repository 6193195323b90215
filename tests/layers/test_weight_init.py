"""Files of weights: what fits is loaded, what does not is left out and said, what is of another network is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from vidcls.errors import CheckpointError
from vidcls.layers import Backbone, build_backbone, build_backbone_3d
from vidcls.layers.weight_init import load_backbone, read_state


def saved(content: object, folder: Path, name: str = "w.pth") -> str:
    torch.save(content, folder / name)
    return str(folder / name)


def test_a_head_for_other_classes_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = models.resnet18(weights=None, num_classes=365)
    with caplog.at_level(logging.DEBUG, logger="vidcls"):
        net = build_backbone("resnet18", weights=saved(source.state_dict(), tmp_path))
    assert torch.equal(net.stem.weight, source.conv1.weight)
    assert "not used: fc.weight, fc.bias" in caplog.text
    (said,) = (record.getMessage() for record in caplog.records if record.levelno == logging.INFO)
    assert said == f"weights: {tmp_path / 'w.pth'} loaded, but for the last layer"


def test_a_file_without_its_head_is_loaded(tmp_path: Path) -> None:
    source = models.resnet18(weights=None).state_dict()
    headless = {name: value for name, value in source.items() if not name.startswith("fc.")}
    net = build_backbone("resnet18", weights=saved(headless, tmp_path))
    assert torch.equal(net.stem.weight, source["conv1.weight"])


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model."])
def test_what_trainers_put_around_weights_is_taken_off(wrapper: str, prefix: str, tmp_path: Path) -> None:
    state = {f"{prefix}{name}": value for name, value in nn.Linear(2, 1).state_dict().items()}
    assert set(read_state(saved({wrapper: state, "epoch": 3}, tmp_path))) == {"weight", "bias"}


@pytest.mark.parametrize(
    "content", [torch.zeros(3), {}, {"a": 1}, [torch.zeros(1)]], ids=["tensor", "empty", "numbers", "list"]
)
def test_what_is_no_tensors_by_name_is_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"w\.pth: does not hold tensors by name"):
        read_state(saved(content, tmp_path))


def test_a_pickled_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="could run code, and is refused"):
        read_state(saved(nn.Linear(1, 1), tmp_path))


def test_another_network_is_refused_with_the_names_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"weights of a ResNet \(layer1\.2\.conv1\.weight.* missing"):
        build_backbone("resnet34", weights=saved(models.resnet18(weights=None).state_dict(), tmp_path))
    with pytest.raises(CheckpointError, match=r"weights of a ResNet \(layer1\.2\.conv1\.weight.* unknown"):
        build_backbone("resnet18", weights=saved(models.resnet34(weights=None).state_dict(), tmp_path))


def test_weights_for_flow_are_taken_as_they_are_and_averaged_for_other_channels(tmp_path: Path) -> None:
    source = build_backbone("small", 20)
    path = saved({"state_dict": {f"backbone.{n}": v for n, v in source.state_dict().items()}}, tmp_path, "f.ckpt")
    assert torch.equal(build_backbone("small", 20, weights=path).stem.weight, source.stem.weight)
    rgb = build_backbone("small", 3, weights=path)
    assert torch.allclose(rgb.stem.weight, source.stem.weight.mean(dim=1, keepdim=True).repeat(1, 3, 1, 1))


def test_the_backbone_of_a_checkpoint_of_ours_is_taken_over_and_its_head_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = build_backbone("resnet18")
    state = {f"backbone.{name}": value for name, value in source.state_dict().items()}
    path = saved({"state_dict": {**state, "head.1.weight": torch.zeros(7, 512)}}, tmp_path, "last.ckpt")
    with caplog.at_level(logging.DEBUG, logger="vidcls"):
        net = build_backbone("resnet18", weights=path)
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in net.state_dict().items())
    assert "not used: head.1.weight" in caplog.text


def test_a_3d_backbone_is_taken_over_from_a_checkpoint_too(tmp_path: Path) -> None:
    source = build_backbone_3d("small_3d")
    path = saved({"state_dict": {f"backbone.{n}": v for n, v in source.state_dict().items()}}, tmp_path, "a.ckpt")
    assert torch.equal(build_backbone_3d("small_3d", weights=path).stem.weight, source.stem.weight)


def test_a_checkpoint_of_two_streams_is_refused_with_what_takes_it(tmp_path: Path) -> None:
    path = saved({"state_dict": {"nets.spatial.stages.a.weight": torch.zeros(1)}}, tmp_path, "two.ckpt")
    with pytest.raises(CheckpointError, match=r"no model with one backbone.*spatial_checkpoint"):
        build_backbone("small", weights=path)


def test_kinetics_weights_of_a_video_network_keep_all_but_the_head(tmp_path: Path) -> None:
    source = models.get_model("mc3_18", weights=None, num_classes=400)
    net = build_backbone_3d("mc3_18", weights=saved(source.state_dict(), tmp_path))
    clip = torch.randn(1, 3, 4, 32, 32)
    source.fc = nn.Identity()
    with torch.no_grad():
        assert torch.allclose(net.eval()(clip), source.eval()(clip), atol=1e-5)


def test_a_read_out_of_another_size_keeps_its_own_weights_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def network(num_features: int) -> Backbone:
        torch.manual_seed(num_features)
        return Backbone({"conv": nn.Conv2d(3, 4, 1)}, nn.Linear(4, num_features), num_features=num_features)

    source, other = network(5), network(6)
    path = saved({f"backbone.{name}": value for name, value in source.state_dict().items()}, tmp_path, "a.ckpt")
    own_read_out = other.read_out.weight.clone()
    with caplog.at_level(logging.DEBUG, logger="vidcls"):
        load_backbone(other, path)
    assert "not used: read_out.weight, read_out.bias" in caplog.text
    assert torch.equal(other.stem.weight, source.stem.weight)
    assert torch.equal(other.read_out.weight, own_read_out)
    load_backbone(same := network(5), path)
    assert torch.equal(same.read_out.weight, source.read_out.weight)
