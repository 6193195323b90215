"""A network with residual blocks -> the same whose branches are dropped at random while it trains.

Huang, Sun, Liu, Sedra, Weinberger: Deep Networks with Stochastic Depth, ECCV 2016 (arXiv:1603.09382): of block l of L
the branch is dropped with chance ``rate * l / L``, for each sample on its own ("drop path"). Where it is kept it is
scaled by 1 / (1 - chance), so that nothing changes in a test.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torchvision.models import regnet, resnet
from torchvision.models.video import resnet as video_resnet
from torchvision.ops import StochasticDepth, stochastic_depth

SetRate = Callable[[float], None]
# The last layers of the branch of a block, where its network has no layer that drops it.
_BRANCHES: dict[type[nn.Module], str] = {
    resnet.BasicBlock: "bn2",
    resnet.Bottleneck: "bn3",
    video_resnet.BasicBlock: "conv2",
    video_resnet.Bottleneck: "conv3",
    regnet.ResBottleneckBlock: "f",
}


def set_drop_path(network: nn.Module, rate: float) -> int:
    """Drop the branches of a network's residual blocks from now on; how many blocks there are.

    Blocks are those of torchvision's networks, of timm's and transformers' that have a layer ``drop_path``, and every
    module whose attribute ``residual_branch`` names the submodule that its shortcut is added to.

    Args:
        network: as built.
        rate: chance of the last block; those before have less.

    Raises:
        ValueError: it has no residual blocks.
    """
    blocks: dict[str, list[SetRate]] = {}
    for path, module in list(network.named_modules()):
        inside, _, name = path.rpartition(".")
        if isinstance(module, StochasticDepth):
            blocks.setdefault(inside, []).append(partial(setattr, module, "p"))
        elif name.startswith("drop_path") and hasattr(module, "drop_prob"):
            blocks.setdefault(inside, []).append(partial(setattr, module, "drop_prob"))
        elif name.startswith("drop_path") and isinstance(module, nn.Identity):
            blocks.setdefault(inside, []).append(partial(_put_layer, network.get_submodule(inside), name))
        elif (branch := _branch_of(module)) is not None:
            blocks.setdefault(path, []).append(partial(_put_hook, module, branch))
    if not blocks:
        raise ValueError("it has no residual blocks whose branches could be dropped")
    for number, setters in enumerate(blocks.values(), start=1):
        for set_rate in setters:
            set_rate(rate * number / len(blocks))
    return len(blocks)


def _branch_of(module: nn.Module) -> str | None:
    own = getattr(module, "residual_branch", None)
    return own if isinstance(own, str) else _BRANCHES.get(type(module))


def _put_layer(block: nn.Module, name: str, rate: float) -> None:
    setattr(block, name, StochasticDepth(rate, mode="row"))


def _put_hook(block: nn.Module, branch: str, rate: float) -> None:
    """A hook and no layer, so that the names of the weights stay."""
    block.get_submodule(branch).register_forward_hook(partial(_dropped, block, rate))


def _dropped(block: nn.Module, rate: float, _branch: nn.Module, _inputs: object, out: Tensor) -> Tensor:
    """Whether the block trains decides: its normalisations may keep their statistics."""
    return stochastic_depth(out, rate, "row", training=block.training)
