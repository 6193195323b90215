"""A file of weights -> the network that it was made for; what does not fit a new task is left out, and said."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from vidcls.errors import CheckpointError
from vidcls.layers.backbones.base import READ_OUT, Backbone
from vidcls.layers.stems import replace_stem
from vidcls.weights_file import read_weights_file

CHECKPOINT_SUFFIX = ".ckpt"
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model")  # under which others keep their weights
PREFIXES = ("module.", "_orig_mod.", "model.")  # of DistributedDataParallel, torch.compile and other trainers
BACKBONE_PREFIX = "backbone."
COUNTER = "num_batches_tracked"  # of a batch normalisation; old files lack it
NUM_NAMES_SHOWN = 3

_log = logging.getLogger(__name__)


def is_file_name(weights: str) -> bool:
    """Whether ``weights`` means a file and no name of ready-made weights."""
    path = Path(weights)
    return path.suffix in {".pt", ".pth", ".pyth", ".bin", CHECKPOINT_SUFFIX} or path.exists()


def check_is_file(name: str, weights: str | None) -> None:
    """Refuse names of ready-made weights for a backbone that has none.

    Raises:
        ValueError: ``weights`` is not the name of a file.
    """
    if weights is not None and not is_file_name(weights):
        raise ValueError(
            f"backbone {name!r} has no ready-made weights, got weights={weights!r}: pass the path of a file, or remove "
            "them"
        )


def is_checkpoint(weights: str | None) -> bool:
    """Whether ``weights`` is a checkpoint of vidcls, whose backbone is taken over."""
    return weights is not None and Path(weights).suffix == CHECKPOINT_SUFFIX


def read_state(path: str | Path) -> dict[str, Tensor]:
    """The tensors in a file, without the names that trainers put around them.

    Raises:
        CheckpointError: there is no such file, or it holds anything but tensors by name.
    """
    content = read_weights_file(
        path,
        complaint="holds no weights that can be read",
        expected="pass a file as torch.save(network.state_dict(), path) writes",
    )
    wrapper = next((name for name in WRAPPERS if isinstance(content, Mapping) and name in content), None)
    state = content[wrapper] if wrapper and isinstance(content, Mapping) else content
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(
            f"{path}: does not hold tensors by name, as torch.save(network.state_dict(), path) writes"
        )
    tensors = {str(name): value for name, value in state.items()}
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def load_state(
    network: nn.Module,
    state: Mapping[str, Tensor],
    path: str | Path,
    *,
    title: str = "",
    head: str = "",
    may_differ: str = "",
) -> None:
    """Load ``state`` into ``network``, in place, and say what of it was left out.

    Args:
        network: its first convolution takes the number of channels of the one in the file.
        state: tensors by name.
        path: where they come from, for messages.
        title: what they are called where all went well; the path where empty.
        head: start of the names that are left out, such as ``fc.``: a classifier for other classes.
        may_differ: start of the names that are left out where they have other sizes; all others must fit.

    Raises:
        CheckpointError: the tensors are of another network.
    """
    own = network.state_dict()
    stem = next((f"{n}.weight" for n, m in network.named_modules() if isinstance(m, nn.Conv2d | nn.Conv3d)), "")
    if stem in state and state[stem].ndim == own[stem].ndim and state[stem].shape[1] != own[stem].shape[1]:
        replace_stem(network, state[stem].shape[1], keep_weights=False)
        own = network.state_dict()

    def is_left_out(name: str) -> bool:
        return bool(head) and name.startswith(head)

    def is_optional(name: str) -> bool:
        return is_left_out(name) or (bool(may_differ) and name.startswith(may_differ)) or name.endswith(COUNTER)

    fitting = {n: v for n, v in state.items() if n in own and own[n].shape == v.shape and not is_left_out(n)}
    missing = [name for name in own if name not in fitting and not is_optional(name)]
    foreign = [name for name in state if name not in own and not is_optional(name)]
    if missing or foreign:
        which = f"{shown(missing)} missing or of other sizes" if missing else f"{shown(foreign)} unknown"
        raise CheckpointError(f"{path}: does not hold weights of a {type(network).__name__} ({which})")
    own.update(fitting)  # which keeps its versions of the layers
    network.load_state_dict(own)
    left_out = [name for name in state if name not in fitting]
    if left_out:
        is_head = all(is_left_out(name) for name in left_out)
        rest = "the last layer" if is_head else f"{len(left_out)} of {len(state)} tensors"
        _log.info("weights: %s loaded, but for %s", title or path, rest)
        _log.debug("%s: not used: %s", path, shown(left_out))


def load_backbone(backbone: Backbone, path: str | Path) -> None:
    """Load the backbone of a checkpoint of vidcls, in place: all stages, and the read-out where it has the same sizes.

    Where the checkpoint's takes another number of input channels, its first kernels become their mean over channels
    (cross-modality initialisation).

    Args:
        backbone: built for the input that it will see.
        path: a checkpoint of a model with one backbone, or a file with the backbone's own state dictionary.

    Raises:
        CheckpointError: no such file, or of another network.
    """
    state = read_state(path)
    own = {n.removeprefix(BACKBONE_PREFIX): value for n, value in state.items() if n.startswith(BACKBONE_PREFIX)}
    own = own or {name: value for name, value in state.items() if name.startswith(("stages.", f"{READ_OUT}."))}
    if not own:
        raise CheckpointError(
            f"{path}: holds no model with one backbone: pass a checkpoint of such a model; the streams of a TwoStream "
            "are taken over by spatial_checkpoint and temporal_checkpoint"
        )
    in_channels = backbone.stem.in_channels
    load_state(backbone, own, path, may_differ=f"{READ_OUT}.")
    replace_stem(backbone, in_channels, keep_weights=True)
    rest = [name for name in state if name not in own and name.removeprefix(BACKBONE_PREFIX) not in own]
    _log.info("weights: the backbone of %s loaded", path)
    _log.debug("%s: not used: %s", path, shown(rest) or "nothing")


def load_stem(backbone: Backbone, path: str | Path) -> None:
    """Take over the first kernels of a file, in place, where they are of the sizes of this backbone's.

    So a backbone whose first layer sees several frames at once keeps what it has learned of time, of which a mean over
    its input channels would leave nothing. Kernels of other sizes change nothing.

    Args:
        backbone: built for the input that it will see.
        path: as for :func:`load_backbone`.

    Raises:
        CheckpointError: no such file.
    """
    state = read_state(path)
    name = next(name for name, module in backbone.named_modules() if module is backbone.stem)
    kernels = state.get(f"{BACKBONE_PREFIX}{name}.weight", state.get(f"{name}.weight"))
    if kernels is not None and kernels.shape == backbone.stem.weight.shape:
        with torch.no_grad():
            backbone.stem.weight.copy_(kernels)


def shown(names: Sequence[str]) -> str:
    """The first names and how many more."""
    more = len(names) - NUM_NAMES_SHOWN
    return ", ".join(names[:NUM_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
