"""An ONNX file -> its metadata, its inputs, and its outputs for arrays: onnxruntime's one home."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vidcls.errors import CheckpointError, ConfigurationError, MissingExtraError, first_line

INSTALL = "run: pip install 'vidcls[runtime]'"
_QUIET = 4  # not even errors, which are raised as well
_TYPES: dict[str, type[np.generic]] = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}
_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


class OnnxSession:
    """A graph that is ready to run.

    Args:
        path: the file.
        device: ``auto`` takes a CUDA GPU where onnxruntime has one.
        num_threads: threads of the CPU; None takes all that this process may use.

    Raises:
        CheckpointError: the file is missing, or no graph that onnxruntime can run.
        ConfigurationError: the device cannot be used.
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(
        self, path: Path, *, device: Literal["auto", "cpu", "cuda"] = "auto", num_threads: int | None = None
    ) -> None:
        if num_threads is not None and num_threads < 1:
            raise ValueError(f"num_threads is {num_threads}; it must be 1 or more")
        if not path.is_file():
            raise CheckpointError(f"{path}: no such file; check the path")
        onnxruntime = _import_onnxruntime()
        self._path = path
        self._errors = errors_of(onnxruntime)
        has_cuda = _CUDA in onnxruntime.get_available_providers()
        if device == "cuda" and not has_cuda:
            raise ConfigurationError(
                "device cuda: this onnxruntime computes on CPUs only: use auto or cpu, or install onnxruntime-gpu in "
                "its place"
            )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _QUIET
        options.intra_op_num_threads = self.num_threads = num_threads or _num_cores()
        providers = [_CUDA, _CPU] if has_cuda and device != "cpu" else [_CPU]
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except self._errors as error:
            raise CheckpointError(
                f"{path}: cannot be loaded as an ONNX graph ({_reason(error)}): it is damaged or of another kind; "
                "export it again with vidcls export, or copy it again"
            ) from error
        self.is_on_cuda = _CUDA in self._session.get_providers()
        if device == "cuda" and not self.is_on_cuda:
            raise ConfigurationError(
                "device cuda: onnxruntime cannot use the CUDA GPU: install the CUDA and cuDNN libraries that it needs, "
                "or use cpu"
            )
        self.version: str = onnxruntime.__version__
        for kind, values in (("input", self._session.get_inputs()), ("output", self._session.get_outputs())):
            for value in values:
                if value.type not in _TYPES:
                    raise CheckpointError(f"{path}: its {kind} {value.name} is a {value.type}; expected numbers")

    def metadata(self, key: str) -> str | None:
        """The text under a key of the metadata; None where there is none."""
        found: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return found.get(key)

    @property
    def inputs(self) -> dict[str, tuple[int | str | None, ...]]:
        """The shapes of the inputs by name; what is not fixed is a name or None."""
        return {each.name: tuple(each.shape) for each in self._session.get_inputs()}

    @property
    def outputs(self) -> dict[str, tuple[int | str | None, ...] | None]:
        """The shapes of the outputs by name, in their order; None where the graph states none."""
        return {each.name: None if each.shape is None else tuple(each.shape) for each in self._session.get_outputs()}

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """The outputs in their order, float32.

        Raises:
            CheckpointError: the graph cannot be run on these arrays.
        """
        fed = {
            each.name: np.ascontiguousarray(arrays[each.name], dtype=_TYPES[each.type])
            for each in self._session.get_inputs()
        }
        try:
            found = self._session.run(None, fed)
        except self._errors as error:
            raise CheckpointError(
                f"{self._path}: its graph cannot be run ({_reason(error)}); export it again with vidcls export"
            ) from error
        return [np.asarray(array, dtype=np.float32) for array in found]


def _import_onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(f"models in .onnx files need onnxruntime ({first_line(error)}); {INSTALL}") from error
    return onnxruntime


def errors_of(onnxruntime: ModuleType) -> tuple[type[Exception], ...]:
    """What onnxruntime raises, which has no common base; RuntimeError where it has no name of its own for it."""
    state = onnxruntime.capi.onnxruntime_pybind11_state
    named = (
        "EPFail", "EngineError", "Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoModel", "NoSuchFile",
        "NotImplemented", "RuntimeException",
    )  # fmt: skip
    return (*(getattr(state, name) for name in named if hasattr(state, name)), RuntimeError)


def _reason(error: Exception) -> str:
    """What onnxruntime says, without the number and the kind of the error before it."""
    return first_line(error).rpartition("[ONNXRuntimeError] : ")[2].split(" : ", 2)[-1].strip()[:200]


def _num_cores() -> int:
    """Cores that this process may use. Stated to onnxruntime, which else ties its threads to cores of the machine."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
