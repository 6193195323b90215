"""RAFT from torchvision: two frames -> one flow field.

Each pair of a video is a batch of its own, on one thread where it runs on the CPU: the last digits of a convolution
depend on the batch and on the number of threads, and a field must not. Frames on a GPU are estimated there, with digits
that differ from the CPU's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from vidcls.errors import CheckpointError, FlowError
from vidcls.flow.settings import FlowSettings
from vidcls.weights_file import read_weights_file

if TYPE_CHECKING:
    from torchvision.models.optical_flow import RAFT

DEFAULT_WEIGHTS = "raft_small"
GPU_BATCH = 16  # pairs at once


def estimate_raft(frames: Tensor, settings: FlowSettings) -> Tensor:
    """Teed and Deng: RAFT: Recurrent all-pairs field transforms for optical flow, ECCV 2020.

    Frames are continued by their border pixels to a multiple of 8 and at least 128 px; the field is cut back.
    """
    return raft_of_pairs(frames[:-1], frames[1:], settings, at_once=1).cpu()  # (T-1, 2, H, W)


def raft_of_pairs(before: Tensor, after: Tensor, settings: FlowSettings, *, at_once: int | None = None) -> Tensor:
    """The flow from each frame ``(N, 3, H, W)`` uint8 to the other of its pair, ``(N, 2, H, W)`` px, where they lie.

    Args:
        before: N frames.
        after: N frames.
        settings: the weights.
        at_once: pairs in a batch; None: one on the CPU, 16 on a GPU.
    """
    at_once = at_once or (1 if before.device.type == "cpu" else GPU_BATCH)
    network = load_raft(settings.weights or DEFAULT_WEIGHTS).to(before.device)
    parameters = settings.parameters()
    num_updates, min_side_px, multiple_px = (parameters[k] for k in ("num_updates", "min_side_px", "multiple_px"))
    assert isinstance(num_updates, int)
    assert isinstance(min_side_px, int)
    assert isinstance(multiple_px, int)
    H, W = before.shape[-2:]
    pad_bottom, pad_right = (max(min_side_px - side, -side % multiple_px) for side in (H, W))
    fields = [torch.empty(0, 2, H, W, device=before.device)]
    with torch.inference_mode(), one_torch_thread(before.device):
        for start in range(0, len(before), at_once):
            pair = (
                F.pad(frames[start : start + at_once].float() / 127.5 - 1, (0, pad_right, 0, pad_bottom), "replicate")
                for frames in (before, after)
            )
            flow = network(*pair, num_flow_updates=num_updates)[-1]  # (at_once, 2, H', W')
            fields.append(flow[:, :, :H, :W])
    return torch.cat(fields).clone()


@lru_cache(maxsize=1)
def load_raft(weights: str) -> RAFT:
    """The network in evaluation mode, of the size that the weights have.

    Raises:
        FlowError: the file is missing or holds other weights, or the download failed.
    """
    from torchvision.models import optical_flow

    if weights in ("raft_small", "raft_large"):
        build = getattr(optical_flow, weights)
        try:
            return build(weights="DEFAULT", progress=False).eval()
        except (OSError, RuntimeError) as error:  # no network, no disk, or a wrong digest
            raise FlowError(
                f"the weights {weights} of flow method raft could not be downloaded ({error}): download them elsewhere "
                "and pass the file's path as weights"
            ) from error
    state = _read_weights(Path(weights))
    first = state.get("feature_encoder.convnormrelu.0.weight", torch.empty(0))
    network = (optical_flow.raft_large if first.shape[:1] == (64,) else optical_flow.raft_small)(weights=None)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise FlowError(
            f"{weights} holds no weights of torchvision's raft_small or raft_large: pass such a file, or one of these "
            "two names"
        ) from error
    return network.eval()


def weights_digest(settings: FlowSettings) -> str | None:
    """What identifies the weights wherever their file lies; None for methods without weights."""
    if settings.method != "raft":
        return None
    digest = hashlib.blake2b(digest_size=16)
    for name, value in load_raft(settings.weights or DEFAULT_WEIGHTS).cpu().state_dict().items():
        digest.update(name.encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def _read_weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise FlowError(f"the weights of flow method raft are not there: {path}; pass raft_small, raft_large or a file")
    try:
        state = read_weights_file(
            path,
            complaint="cannot be read as weights of flow method raft",
            expected="pass a file of weights saved by torchvision's RAFT",
        )
    except CheckpointError as error:
        raise FlowError(str(error)) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise FlowError(f"{path} is not a dictionary of tensors: pass a file of weights saved by torchvision's RAFT")
    return state


@contextmanager
def one_torch_thread(device: torch.device) -> Iterator[None]:
    """PyTorch's number of CPU threads belongs to the whole process, so it is put back."""
    num_threads = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)
