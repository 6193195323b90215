"""An archive of torch.export -> refused where loading it could run code that somebody put there.

``torch.export.load`` unpickles objects, evaluates expressions and calls operators by their names, as the archive says.
What ``vidcls export`` writes has tensors, sizes and operators of ATen alone, so that all else is refused unread.
"""

from __future__ import annotations

import ast
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from vidcls.errors import CheckpointError
from vidcls.settings_file import parse_json

PLACES = re.compile(
    r"[^/]+/(models/model\.json|extra/[^/]+|archive_\w+|byteorder|\.data/\w+"
    r"|data/(weights/(weight_\d+|\w+\.json)|constants/(tensor_\d+|\w+\.json)|sample_inputs/model\.pt))"
)
OPERATORS = ("torch.ops.aten.", "torch.ops.higher_order.", "_operator.", "math.")
SIZES = (ast.Expression, ast.Call, ast.Name, ast.Constant, ast.keyword, ast.Load, ast.UnaryOp, ast.USub)
FORCE_WEIGHTS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"  # of torch, over all that its own code asks for


def check_archive(path: Path, archive: zipfile.ZipFile) -> None:
    """Look at all that is read by name or evaluated; no weight is read.

    Raises:
        CheckpointError: there is something that ``vidcls export`` does not write.
    """
    for name in archive.namelist():
        if not PLACES.fullmatch(name):
            raise _refusal(path, f"the entry {ascii(name)[:80]}")
        if name.endswith(".json") and "/extra/" not in name:
            for key, text in _texts(parse_json(archive.read(name))):
                if key == "target" and not text.startswith(OPERATORS):
                    raise _refusal(path, f"the operator {ascii(text)[:80]}")
                if key == "expr_str" and not _is_size(text):
                    raise _refusal(path, f"the size {ascii(text)[:80]}")


@contextmanager
def tensors_only() -> Iterator[None]:
    """Within it torch unpickles nothing but tensors, whatever its own code asks for."""
    before = os.environ.get(FORCE_WEIGHTS_ONLY)
    os.environ[FORCE_WEIGHTS_ONLY] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FORCE_WEIGHTS_ONLY]
        else:
            os.environ[FORCE_WEIGHTS_ONLY] = before


def _texts(value: object) -> Iterator[tuple[str, str]]:
    """Every text in nested values, with the key that it stands under."""
    waiting: list[tuple[str, object]] = [("", value)]
    while waiting:
        key, found = waiting.pop()
        if isinstance(found, Mapping):
            waiting += [(str(name), each) for name, each in found.items()]
        elif isinstance(found, list):
            waiting += [(key, each) for each in found]
        elif isinstance(found, str):
            yield key, found


def _is_size(text: str) -> bool:
    """Whether an expression is made of sizes, such as ``Mul(Integer(3), Symbol('s37', positive=True))``, and no more.

    >>> _is_size("Mul(Integer(3), Symbol('s37', positive=True))")
    True
    >>> _is_size("Symbol.__class__") or _is_size("eval('1')") or _is_size("S('f(1)')")
    False
    """
    try:
        nodes = list(ast.walk(ast.parse(text, mode="eval")))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    names = [node.id for node in nodes if isinstance(node, ast.Name)]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return (
        all(isinstance(node, SIZES) for node in nodes)
        and all(re.fullmatch(r"[A-Z][A-Za-z]*|s\d+|u\d+", name) for name in names)
        and all(re.fullmatch(r"[su]\d+", each) for each in texts)
    )


def _refusal(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: has {what}, which vidcls export does not write and which could run code: export it again from its "
        "checkpoint, or pass a .onnx file"
    )
