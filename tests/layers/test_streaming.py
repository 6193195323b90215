"""Networks that look back alone: whatever the pieces of a stream, the answer is that of the whole as one clip."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vidcls.layers.streaming import CumulativeMean, FramesBefore, FrameStream, MeanSoFar


def test_frames_before_are_zeros_at_first_and_then_those_that_came() -> None:
    before = FramesBefore(2)
    stream = FrameStream(before.eval())
    frames = torch.arange(1.0, 6.0).view(1, 1, 5, 1, 1)
    assert before(frames).flatten().tolist() == [0, 0, 1, 2, 3, 4, 5]
    assert stream(frames[:, :, :1]).flatten().tolist() == [0, 0, 1]
    assert stream(frames[:, :, 1:2]).flatten().tolist() == [0, 1, 2]
    assert stream(frames[:, :, 2:]).flatten().tolist() == [1, 2, 3, 4, 5]
    assert before(frames).flatten().tolist() == [0, 0, 1, 2, 3, 4, 5]  # a clip has nothing before it, as ever
    stream.reset()
    assert stream(frames[:, :, 3:]).flatten().tolist() == [0, 0, 4, 5]


def test_a_mean_goes_on_over_all_frames_so_far() -> None:
    layer = CumulativeMean().eval()
    means = torch.tensor([4.0, 0.0, 2.0, 6.0]).view(1, 1, 4, 1, 1)
    assert layer(means).flatten().tolist() == [4, 2, 2, 3]
    stream = FrameStream(layer)
    found = [stream(piece).flatten().tolist() for piece in means.split([1, 2, 1], dim=2)]
    assert found == [[4], [2, 2], [3]]


def test_the_mean_of_places_and_frames_is_one_vector() -> None:
    maps = torch.rand(2, 3, 5, 4, 2)
    layer = MeanSoFar().eval()
    assert torch.allclose(layer(maps), maps.mean(dim=(2, 3, 4)))
    stream = FrameStream(layer)
    stream(maps[:, :, :3])
    assert torch.allclose(stream(maps[:, :, 3:]), maps.mean(dim=(2, 3, 4)))


def test_two_streams_of_one_network_do_not_mix() -> None:
    layer = CumulativeMean().eval()
    one, two = FrameStream(layer), FrameStream(layer)
    one(torch.full((1, 1, 3, 1, 1), 9.0))
    assert two(torch.full((1, 1, 1, 1, 1), 1.0)).item() == 1.0


def test_a_piece_that_fails_leaves_the_stream_as_it_was() -> None:
    class Fragile(nn.Sequential):
        def forward(self, maps: torch.Tensor) -> torch.Tensor:
            out = super().forward(maps)
            if maps.isnan().any():
                raise RuntimeError("not a number")
            return out

    network = Fragile(CumulativeMean()).eval()
    stream = FrameStream(network)
    stream(torch.full((1, 1, 1, 1, 1), 3.0))
    with pytest.raises(RuntimeError, match="not a number"):
        stream(torch.full((1, 1, 1, 1, 1), float("nan")))
    assert network(torch.full((1, 1, 1, 1, 1), 5.0)).item() == 5.0
    assert stream(torch.full((1, 1, 1, 1, 1), 5.0)).item() == 4.0


def test_what_has_no_stream_says_so() -> None:
    with pytest.raises(ValueError, match="Conv3d looks at frames that come later: it has no stream"):
        FrameStream(nn.Conv3d(1, 1, 3))
    with pytest.raises(ValueError, match="call eval"):
        FrameStream(CumulativeMean())(torch.zeros(1, 1, 1, 1, 1))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_long_stream_in_half_precision_has_the_mean_of_the_whole(dtype: torch.dtype) -> None:
    layer = CumulativeMean().eval()
    stream = FrameStream(layer)
    piece = torch.tensor([1.0, 0.0, 0.0], dtype=dtype).view(1, 1, 3, 1, 1)
    for _ in range(1200):
        found = stream(piece)  # in bfloat16 a sum of ones stays at 256
    assert found.dtype == dtype
    assert found[0, 0, -1].item() == pytest.approx(1 / 3, rel=4e-3)
    assert layer(piece.repeat(1, 1, 1200, 1, 1))[0, 0, -1].item() == pytest.approx(1 / 3, rel=4e-3)


def test_only_what_is_needed_of_earlier_frames_is_kept() -> None:
    stream = FrameStream(FramesBefore(2).eval())
    stream(torch.zeros(1, 1, 100, 4, 4))
    assert [past[0].untyped_storage().nbytes() for past in stream._pasts] == [2 * 4 * 4 * 4]


def test_frames_of_another_size_or_none_are_refused() -> None:
    stream = FrameStream(CumulativeMean().eval())
    stream(torch.zeros(1, 2, 3, 1, 1))
    with pytest.raises(ValueError, match=r"frames are \(B, C, H, W\) = \(2, 2, 1, 1\), those before were .*reset\(\)"):
        stream(torch.zeros(2, 2, 3, 1, 1))
    for odd in (torch.zeros(1, 2, 0, 1, 1), torch.zeros(2, 3, 1, 1)):
        with pytest.raises(ValueError, match="with T of at least 1"):
            stream(odd)
    stream.reset()
    stream(torch.zeros(2, 2, 3, 1, 1))
