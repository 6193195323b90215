"""The package ``vidcls`` -> the part of it that predicts with exported models, as the files of this wheel.

What is taken are the modules that ``vidcls predict MODEL.onnx`` and ``vidcls serve MODEL.onnx`` import, and those that
these import, as long as they need no other library than this distribution and its extra depend on.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = Path(__file__).resolve().parent.parent
ROOTS = ("vidcls.__main__", "vidcls.cli", "vidcls.cli.predict", "vidcls.cli.serve", "vidcls.runtime")
LIBRARIES = frozenset({"PIL", "av", "cv2", "decord", "filelock", "numpy", "onnxruntime", "tqdm", "yaml"})
"""What the wheel depends on, by the names under which it is imported."""
SERVING = frozenset({"fastapi", "pebble", "pydantic", "python_multipart", "starlette", "uvicorn"})
"""What the extra ``serve`` brings, by the names under which it is imported."""
DATA = ("vidcls/py.typed", "vidcls/serve/templates/page.html")


class RuntimeModules(BuildHookInterface):  # type: ignore[misc,type-arg]
    """Puts the modules into the wheel."""

    def initialize(self, version: str, build_data: dict[str, object]) -> None:  # noqa: ARG002
        """Name each file and its place."""
        force_include = build_data["force_include"]
        assert isinstance(force_include, dict)
        for name in (*(str(_file(module).relative_to(SOURCE)) for module in runtime_modules()), *DATA):
            force_include[str(SOURCE / name)] = name


def runtime_modules() -> list[str]:
    """The modules of the wheel, sorted."""
    found: set[str] = set()
    coming = list(ROOTS)
    while coming:
        module = coming.pop()
        if module in found:
            continue
        found.add(module)
        at_import, when_called = _imports(module)
        coming += at_import
        coming += [name for name in when_called if _is_clean(name)]
    return sorted(found)


def _is_clean(module: str) -> bool:
    """Whether a module can be imported with the libraries of this distribution alone."""
    seen: set[str] = set()
    coming = [module]
    while coming:
        name = coming.pop()
        if name in seen:
            continue
        seen.add(name)
        if _libraries(name) - LIBRARIES - SERVING:
            return False
        coming += _imports(name)[0]
    return True


def _file(module: str) -> Path:
    path = SOURCE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _is_module(name: str) -> bool:
    return name.partition(".")[0] == "vidcls" and _file(name).is_file()


@cache
def _imports(module: str) -> tuple[list[str], list[str]]:
    """The modules of vidcls that a module imports when it is imported, and those when its functions are called."""
    parents = module.split(".")[:-1]
    at_import = {".".join(parents[: k + 1]) for k in range(len(parents))}
    when_called: set[str] = set()
    for node, is_inside in _import_nodes(ast.parse(_file(module).read_text(encoding="utf-8")), is_inside=False):
        (when_called if is_inside else at_import).update(_modules_of(node))
    return sorted(at_import), sorted(when_called)


@cache
def _libraries(module: str) -> set[str]:
    """The libraries that a module imports when it is imported."""
    names: set[str] = set()
    for node, is_inside in _import_nodes(ast.parse(_file(module).read_text(encoding="utf-8")), is_inside=False):
        if not is_inside:
            found = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            names.update(name.partition(".")[0] for name in found)
    return names - sys.stdlib_module_names - {"vidcls"}


def _modules_of(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if _is_module(alias.name))
        return
    if node.module and _is_module(node.module):
        yield node.module
        yield from (name for alias in node.names if _is_module(name := f"{node.module}.{alias.name}"))


def _import_nodes(tree: ast.AST, *, is_inside: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """All imports but those for type checkers, and whether each stands in a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, is_inside
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from _import_nodes(other, is_inside=is_inside)
        else:
            inside = is_inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _import_nodes(node, is_inside=inside)
