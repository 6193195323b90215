"""Slow fusion of any backbone: extents in time, and still clips as their frame."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from vidcls.errors import ConfigurationError
from vidcls.layers import build_backbone
from vidcls.layers.slow_fusion import StackFrames, slow_fusion_backbone


def test_windows_of_neighbouring_frames_become_channels() -> None:
    clip = torch.arange(5.0).view(1, 1, 5, 1, 1)
    windows = StackFrames(3, 2)(clip)
    assert windows.shape == (1, 3, 2, 1, 1)
    assert windows[0, :, :, 0, 0].tolist() == [[0, 2], [1, 3], [2, 4]]  # by frame of the window, then by window


def test_a_clip_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a window takes 3 frames, got 2: raise clip_len"):
        StackFrames(3, 1)(torch.zeros(1, 1, 2, 1, 1))


def test_responses_in_time_shrink_as_the_paper_says() -> None:
    net = slow_fusion_backbone("small", (4, 2, 2), (2, 2, 1))
    lengths = {name: shape[1] for name, shape in net.shapes((3, 10, 32, 32)).items() if len(shape) == 4}
    assert lengths == {"block1": 4, "block2": 2, "block3": 1, "block4": 1}


def test_with_given_weights_a_still_clip_gives_what_its_frame_gives(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = build_backbone("small").eval()
    torch.save(source.state_dict(), tmp_path / "small.pth")
    net = slow_fusion_backbone("small", (4, 2, 2), (2, 2, 1), weights=str(tmp_path / "small.pth")).eval()
    frame = torch.randn(2, 3, 32, 32)
    still = frame[:, :, None].expand(-1, -1, 10, -1, -1)
    assert torch.allclose(net(still), source(frame), atol=1e-5)


def test_a_stage_with_an_extent_of_one_gets_no_layer_in_time() -> None:
    net = slow_fusion_backbone("small", (1, 1, 2), (1, 1, 1))
    in_time = {name: sum(isinstance(m, nn.Conv3d) for m in stage.modules()) for name, stage in net.stages.items()}
    assert in_time == {"block1": 0, "block2": 0, "block3": 1, "block4": 0}


@pytest.mark.parametrize(
    ("extents", "strides", "message"),
    [
        ((), (), "an entry from 1 for each of the first stages"),
        ((2, 2), (1,), "an entry from 1 for each of the first stages"),
        ((2, 0), (1, 1), "an entry from 1 for each of the first stages"),
        ((1,) * 5, (1,) * 5, "extents has 5 entries, backbone 'small' has 4 stages"),
    ],
)
def test_extents_that_fit_nothing_are_refused(extents: tuple[int, ...], strides: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        slow_fusion_backbone("small", extents, strides)


def test_the_papers_network_has_no_weights_to_take() -> None:
    with pytest.raises(ValueError, match="there are none for the slow fusion of 'karpathy'"):
        slow_fusion_backbone("karpathy", (2,), (1,), weights="DEFAULT")
