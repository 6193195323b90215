"""What is to be exported -> one line that says why it cannot be, before anything is computed or torch is imported."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from vidcls.errors import ExportError, MissingExtraError

ONNX, PT2 = ".onnx", ".pt2"

INSTALL = "pip install 'vidcls[export]'"
LEAST = {"onnx": (1, 19), "onnxscript": (0, 7), "onnxruntime": (1, 22)}
"""onnxscript below 0.7 writes GRUs whose numbers are wrong (microsoft/onnxscript#2852); the others are its companions:
onnx 1.19 has the operators of the opset that torch writes, onnxruntime 1.22 reads them."""


def check_output(output: Path, precision: str) -> None:
    """Refuse what is no exported file; for an ``.onnx`` file ask for its packages.

    Raises:
        ExportError: another suffix, or a precision that it cannot have.
        MissingExtraError: as of :func:`check_packages`.
    """
    if output.suffix not in (ONNX, PT2):
        raise ExportError(f"{output}: suffix is {output.suffix!r}; allowed are {ONNX} and {PT2}")
    if output.suffix == ONNX:
        check_packages()
    elif precision == "int8":
        raise ExportError(f"{output}: int8 is written as {ONNX} alone: pass OUT{ONNX}, or --precision fp16")


def check_packages(version_of: Callable[[str], str] = version) -> None:
    """Refuse to write an ONNX file without them; nothing is imported.

    Args:
        version_of: the version of an installed package, or PackageNotFoundError.

    Raises:
        MissingExtraError: one is not installed, or too old to be right.
    """
    for name, least in LEAST.items():
        try:
            found = version_of(name)
        except PackageNotFoundError:
            raise MissingExtraError(f"an .onnx file needs the package {name}: {INSTALL}") from None
        if _numbers(found) < least:
            reason = ", which writes GRUs with wrong numbers" if name == "onnxscript" else ""
            raise MissingExtraError(
                f"an .onnx file needs {name} {'.'.join(map(str, least))} or newer, found {found}{reason}: "
                f"pip install --upgrade {name}"
            )


def _numbers(text: str) -> tuple[int, ...]:
    """The first two numbers of a version."""
    return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in text.split(".")[:2])
