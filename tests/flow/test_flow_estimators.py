from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
import torch
from torch import Tensor
from torchvision.models.optical_flow import raft_large, raft_small

from vidcls.errors import FlowError, MissingExtraError
from vidcls.flow import estimate
from vidcls.flow.estimators import METHODS
from vidcls.flow.raft_estimator import load_raft, weights_digest
from vidcls.flow.settings import FlowMethod, FlowSettings

OPENCV_METHODS: list[FlowMethod] = [m for m in METHODS if m != "raft"]


def skip_without_contrib(method: FlowMethod) -> None:
    if method == "tvl1_opencv" and not hasattr(cv2, "optflow"):
        pytest.skip("opencv-contrib-python is not installed")


@pytest.fixture(scope="module")
def random_raft(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("raft") / "small.pth"
    torch.save(raft_small(weights=None).state_dict(), path)
    return str(path)


@pytest.fixture(params=list(METHODS))
def method_and_weights(request: pytest.FixtureRequest, random_raft: str) -> tuple[FlowMethod, str | None]:
    skip_without_contrib(request.param)
    return request.param, random_raft if request.param == "raft" else None


@pytest.fixture
def two_opencv_threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    yield
    cv2.setNumThreads(before)


@pytest.mark.parametrize("method", OPENCV_METHODS)
def test_a_square_that_moves_3_px_to_the_right_gives_3_and_0(method: FlowMethod, moving_square_frames: Tensor) -> None:
    skip_without_contrib(method)
    flow = estimate(moving_square_frames, method)
    assert flow.shape == (3, 2, 96, 128)
    assert flow.dtype == torch.float32
    for t in range(3):
        inside = flow[t, :, 32:64, 38 + 3 * t : 70 + 3 * t]
        torch.testing.assert_close(inside.mean(dim=(1, 2)), torch.tensor([3.0, 0.0]), atol=0.1, rtol=0)
        assert flow[t, :, :, :16].abs().mean() < 0.1  # the ground is still


@pytest.mark.parametrize("method", OPENCV_METHODS)
def test_downwards_is_positive_y(method: FlowMethod, sliding_frames: Tensor) -> None:
    skip_without_contrib(method)
    flow = estimate(sliding_frames, method)[:, :, 16:-16, 16:-16]
    torch.testing.assert_close(flow.mean(dim=(0, 2, 3)), torch.tensor([2.0, 1.0]), atol=0.1, rtol=0)


def test_a_field_depends_on_its_two_frames_alone(
    method_and_weights: tuple[FlowMethod, str | None], sliding_frames: Tensor
) -> None:
    method, weights = method_and_weights
    whole = estimate(sliding_frames[:4], method, weights=weights)
    assert torch.equal(estimate(sliding_frames[1:4], method, weights=weights), whole[1:])
    assert torch.equal(estimate(sliding_frames[2:4], method, weights=weights), whole[2:])


@pytest.mark.parametrize("size", [(40, 44), (16, 41)])
def test_small_frames_too_give_fields_of_their_own(size: tuple[int, int], sliding_frames: Tensor) -> None:
    frames = sliding_frames[:, :, : size[0], : size[1]]  # where one DIS object used twice gives two answers
    assert torch.equal(estimate(frames[2:4])[0], estimate(frames)[2])


@pytest.mark.usefixtures("two_opencv_threads")
@pytest.mark.parametrize("method", OPENCV_METHODS)
def test_the_number_of_opencv_threads_changes_nothing(method: FlowMethod, moving_square_frames: Tensor) -> None:
    skip_without_contrib(method)
    pair = moving_square_frames[:2]
    with_two = estimate(pair, method)
    assert cv2.getNumThreads() == 2  # put back
    cv2.setNumThreads(1)
    assert torch.equal(estimate(pair, method), with_two)


def test_the_number_of_torch_threads_changes_nothing(random_raft: str, sliding_frames: Tensor) -> None:
    before = torch.get_num_threads()
    try:
        fields = []
        for num_threads in (1, 2):
            torch.set_num_threads(num_threads)
            fields.append(estimate(sliding_frames[:2], "raft", weights=random_raft))
            assert torch.get_num_threads() == num_threads
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*fields)


def test_a_still_clip_has_no_motion_at_all(
    sliding_frames: Tensor, method_and_weights: tuple[FlowMethod, str | None]
) -> None:
    method, weights = method_and_weights
    still = torch.cat([sliding_frames[:1].repeat(3, 1, 1, 1), sliding_frames[1:2]])
    flow = estimate(still, method, weights=weights)
    assert not flow[:2].any()
    assert flow[2].any()


@pytest.mark.parametrize("size", [(1, 1), (9, 13), (15, 100), (7, 200), (33, 50)])
def test_every_size_of_frame_works(
    size: tuple[int, int], method_and_weights: tuple[FlowMethod, str | None], sliding_frames: Tensor
) -> None:
    method, weights = method_and_weights
    frames = sliding_frames[:2].repeat(1, 1, 1, 3)[:, :, : size[0], : size[1]]
    flow = estimate(frames, method, weights=weights)
    assert flow.shape == (1, 2, *size)
    assert flow.isfinite().all()


def test_one_frame_has_no_field(sliding_frames: Tensor, method_and_weights: tuple[FlowMethod, str | None]) -> None:
    method, weights = method_and_weights
    assert estimate(sliding_frames[:1], method, weights=weights).shape == (0, 2, 64, 80)


def test_the_memory_layout_of_the_frames_changes_nothing(sliding_frames: Tensor) -> None:
    as_decoded = sliding_frames.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert torch.equal(estimate(as_decoded), estimate(sliding_frames))


@pytest.mark.parametrize(
    "frames", [torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.zeros(3)]
)
def test_frames_of_another_kind_are_refused(frames: Tensor) -> None:
    with pytest.raises(ValueError, match=r"\(T, 3, H, W\) of uint8"):
        estimate(frames)


def test_imported_flow_cannot_be_computed(sliding_frames: Tensor) -> None:
    with pytest.raises(ValueError, match="cannot be computed from frames"):
        estimate(sliding_frames, "imported")


def test_tvl1_without_contrib_says_how_to_fix_it(monkeypatch: pytest.MonkeyPatch, sliding_frames: Tensor) -> None:
    monkeypatch.delattr(cv2, "optflow", raising=False)
    with pytest.raises(MissingExtraError, match="pip uninstall -y opencv-python && pip install opencv-contrib-python"):
        estimate(sliding_frames, "tvl1_opencv")


def test_raft_takes_the_size_of_the_network_from_the_weights(tmp_path: Path, sliding_frames: Tensor) -> None:
    torch.save(raft_large(weights=None).state_dict(), tmp_path / "large.pth")
    assert sum(p.numel() for p in load_raft(str(tmp_path / "large.pth")).parameters()) > 5e6
    assert estimate(sliding_frames[:2], "raft", weights=str(tmp_path / "large.pth")).shape == (1, 2, 64, 80)


def test_other_weights_have_another_digest(random_raft: str, tmp_path: Path) -> None:
    state = torch.load(random_raft, weights_only=True)
    torch.save(state, tmp_path / "same.pth")
    state["feature_encoder.convnormrelu.0.weight"][0, 0, 0, 0] += 1
    torch.save(state, tmp_path / "other.pth")
    here, same, other = (
        weights_digest(FlowSettings("raft", weights=str(path)))
        for path in (random_raft, tmp_path / "same.pth", tmp_path / "other.pth")
    )
    assert here == same != other
    assert weights_digest(FlowSettings("dis")) is None


def test_weights_that_cannot_be_used_are_refused_in_words(tmp_path: Path, sliding_frames: Tensor) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    torch.save({"layer": torch.zeros(1)}, tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, words in [
        ("none.pth", "not there"),
        ("text.pth", "cannot be read"),
        ("other.pth", "no weights of torchvision's raft"),
        ("list.pth", "not a dictionary of tensors"),
    ]:
        with pytest.raises(FlowError, match=words):
            estimate(sliding_frames, "raft", weights=str(tmp_path / name))


def test_a_failed_download_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sliding_frames: Tensor
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", no_network)
    monkeypatch.setattr("torch.hub.urlopen", no_network)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(FlowError, match=r"raft_small.*could not be downloaded.*pass the file's path"):
        estimate(sliding_frames, "raft")
