"""Networks of timm by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vidcls.errors import MissingExtraError
from vidcls.layers import build_backbone

NAMES = ["resnet10t", "mobilenetv3_small_050", "vit_tiny_patch16_224"]


@pytest.fixture
def timm() -> object:
    return pytest.importorskip("timm", reason="the extra timm is not installed")


@pytest.mark.parametrize("name", NAMES)
def test_the_features_are_those_before_the_classifier_of_the_original(timm: object, name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    original = timm.create_model(name).eval()  # type: ignore[attr-defined]
    torch.save(original.state_dict(), tmp_path / "w.pth")
    seen: list[Tensor] = []
    original.get_classifier().register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0]))
    frames = torch.randn(2, 3, 224, 224)
    net = build_backbone(f"timm/{name}", weights=str(tmp_path / "w.pth")).eval()
    with torch.no_grad():
        original(frames)
        features = net(frames)
    assert features.shape == (2, net.num_features)
    assert torch.allclose(features, seen[0], atol=1e-5)
    assert len(list(net.parameters())) == len(list(original.parameters())) - 2  # weight and bias of the classifier


@pytest.mark.parametrize("in_channels", [1, 20])
def test_a_network_of_timm_takes_any_number_of_channels(timm: object, in_channels: int) -> None:
    net = build_backbone("timm/resnet10t", in_channels)
    assert net.stem.in_channels == in_channels
    assert net(torch.randn(2, in_channels, 32, 32)).shape == (2, 512)


def test_an_unknown_network_of_timm_is_refused_with_names_that_are_like_it(timm: object) -> None:
    with pytest.raises(ValueError, match=r"timm has no network 'resnet10x'.*such as .*resnet10"):
        build_backbone("timm/resnet10x")


def test_tokens_are_no_maps(timm: object) -> None:
    with torch.device("meta"):
        net = build_backbone("timm/vit_tiny_patch16_224")
        with pytest.raises(ValueError, match="stage 'features' gives tokens, not maps"):
            net.channels(["features"])


def test_without_timm_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vidcls\[timm\]'"):
        build_backbone("timm/resnet18")
