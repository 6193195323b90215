"""Fovea and context: which pixels each sees."""

from __future__ import annotations

import torch

from vidcls.layers.multi_resolution import FoveaContext, centre, frame_network, halved


def test_the_context_is_the_mean_of_two_by_two_pixels() -> None:
    picture = torch.tensor([[0.0, 2.0, 10.0, 10.0], [4.0, 6.0, 10.0, 10.0]]).view(1, 1, 2, 4)
    assert halved(picture).flatten().tolist() == [3.0, 10.0]
    clip = torch.stack([picture, picture + 1], dim=2)
    assert halved(clip).shape == (1, 1, 2, 1, 2)
    assert halved(clip)[0, 0, 1].flatten().tolist() == [4.0, 11.0]


def test_the_fovea_of_178_pixels_is_the_89_in_the_middle() -> None:
    picture = torch.arange(178.0).view(1, 1, 1, 178).expand(1, 1, 178, 178)
    fovea = centre(picture)
    assert fovea.shape == (1, 1, 89, 89)
    assert (float(fovea[0, 0, 0, 0]), float(fovea[0, 0, 0, -1])) == (44.0, 132.0)


def test_the_fovea_is_blind_outside_of_the_centre_and_the_context_is_not() -> None:
    torch.manual_seed(0)
    net = frame_network("small", multi_resolution=True).eval()
    assert isinstance(net, FoveaContext)
    picture = torch.randn(1, 3, 64, 64)
    changed = picture.clone()
    changed[..., :8, :8] += 5
    before, after = (net.maps(p) for p in (picture, changed))
    num_channels = net.context.num_map_channels
    assert not torch.equal(before[:, :num_channels], after[:, :num_channels])
    assert torch.equal(before[:, num_channels:], after[:, num_channels:])


def test_the_towers_have_weights_of_their_own_and_the_read_out_sees_both() -> None:
    net = frame_network("small", multi_resolution=True)
    assert isinstance(net, FoveaContext)
    assert not torch.equal(net.context.stem.weight, net.fovea.stem.weight)
    assert net.num_features == 2 * 64
    assert net(torch.randn(2, 3, 64, 64)).shape == (2, 128)


def test_the_stem_of_several_frames_takes_their_channels() -> None:
    net = frame_network("small", stem_len=5)
    assert net(torch.randn(2, 15, 32, 32)).shape == (2, 64)
