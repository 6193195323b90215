"""A GPU that is not there: tensors that have a device, a shape and a type, and no values.

What runs on them shows what would fail on a GPU: tensors of two devices in one operation, and synchronisations, for
which the processor waits until the GPU has done all that it was asked for. Forward passes only: a backward pass asks
for the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

CUDA = torch.device("cuda", 0)
META = torch.device("meta")
"""In place of the GPU where tensors are given other types, which fake tensors cannot be: it has no values either."""

_LOOKS = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
_COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)


class SynchronisationError(Exception):
    """The processor would wait for the GPU here."""


class _WatchCopies(TorchDispatchMode):
    """Refuses copies between the devices for which the processor waits."""

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        if func in _LOOKS and isinstance(args[0], Tensor) and args[0].device.type != "cpu":
            raise SynchronisationError(f"{func} asks for the values of a tensor on the GPU")
        result = func(*args, **kwargs)
        if func in _COPIES:
            source = args[1] if func is torch.ops.aten.copy_.default else args[0]
            assert isinstance(result, Tensor)
            assert isinstance(source, Tensor)
            waits = not kwargs.get("non_blocking", False) and not (len(args) > 2 and args[2])
            if result.device.type != source.device.type and waits:
                raise SynchronisationError(f"a copy from {source.device.type} to {result.device.type}")
        return result


@contextmanager
def fake_gpu() -> Iterator[FakeTensorMode]:
    """All tensors made inside have no values; new ones are on the CPU unless a device is named, as ever."""
    with FakeTensorMode(allow_non_fake_inputs=False) as mode:
        yield mode


@contextmanager
def mixed_precision() -> Iterator[None]:
    """Autocast to bfloat16 on the GPU; ``torch.autocast`` itself would look for a real one and give up."""
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    torch.autocast_increment_nesting()
    try:
        yield
    finally:
        torch.autocast_decrement_nesting()
        torch.set_autocast_enabled("cuda", False)
        torch.clear_autocast_cache()


@contextmanager
def without_synchronisation() -> Iterator[None]:
    """Whatever waits for the GPU raises :class:`SynchronisationError`: within :func:`fake_gpu`, or on :data:`META`."""
    try:
        with _WatchCopies():
            yield
    except (DataDependentOutputException, DynamicOutputShapeException) as error:
        raise SynchronisationError(f"the values of a tensor on the GPU are asked for: {error}") from error


def on_gpu(module: nn.Module, mode: FakeTensorMode) -> nn.Module:
    """Move a module as a trainer does: weights, buffers, states of metrics; a tensor of another kind stays behind."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        return module._apply(lambda tensor: mode.from_tensor(tensor).to(CUDA))
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)


def devices_of(values: object) -> set[str]:
    """The kinds of device of all tensors in a structure."""
    return {leaf.device.type for leaf in tree_flatten(values)[0] if isinstance(leaf, Tensor)}
