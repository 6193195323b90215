"""Classes of vidcls and of Lightning -> the arguments that they take, read from their source without importing it.

Importing torch and Lightning takes seconds, which a misspelt option should not cost. The source is that of the
installed version, so nothing here has to be kept up to date. Where a source cannot be found or read the answer is None,
and whoever asks leaves the question to the parser.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import vidcls


@cache
def exported(package: str) -> dict[str, str]:
    """The names that a package of vidcls offers, in its order, with the modules that define them."""
    tree = _tree(package)
    if tree is None:
        return {}
    homes = {
        alias.asname or alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    offered = [node.value for node in tree.body if isinstance(node, ast.Assign) and _targets(node) == ["__all__"]]
    names = [str(name) for name in ast.literal_eval(offered[0])] if offered else []
    return {name: homes[name] for name in names if name in homes}


@cache
def classes_of(package: str, base: str | None = None) -> tuple[str, ...]:
    """The classes that a package of vidcls offers; those below a base where one is given."""
    return tuple(
        name
        for name, module in exported(package).items()
        if _class(module, name) is not None and name != base and (base is None or _descends(module, name, base))
    )


@cache
def arguments_in(module: str, class_name: str) -> tuple[str, ...] | None:
    """The names of the arguments of a class, also those that it hands on to its base; None where it cannot be read."""
    found = _class(module, class_name)
    if found is None:
        return None
    init = next((node for node in found.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"), None)
    names = []
    if init is not None:
        names = [
            arg.arg for arg in (*init.args.posonlyargs, *init.args.args, *init.args.kwonlyargs) if arg.arg != "self"
        ]
        if init.args.kwarg is None:
            return tuple(names)
    base = next((base.id for base in found.bases if isinstance(base, ast.Name)), None)
    home = _imported_from(module, base) if base is not None else None
    inherited = arguments_in(home, base) if home is not None and base is not None else None
    return None if inherited is None else (*names, *(name for name in inherited if name not in names))


def docstring_in(module: str, class_name: str) -> str | None:
    """The docstring of a class, its indentation removed; None where it has none."""
    found = _class(module, class_name)
    return None if found is None else ast.get_docstring(found)


def _class(module: str, class_name: str) -> ast.ClassDef | None:
    tree = _tree(module)
    nodes = tree.body if tree is not None else []
    return next((node for node in nodes if isinstance(node, ast.ClassDef) and node.name == class_name), None)


def _descends(module: str, class_name: str, base: str) -> bool:
    found = _class(module, class_name)
    for parent in found.bases if found is not None else ():
        if isinstance(parent, ast.Name):
            home = _imported_from(module, parent.id)
            if parent.id == base or (home is not None and _descends(home, parent.id, base)):
                return True
    return False


def _imported_from(module: str, name: str) -> str | None:
    """The module that defines a name which a module uses: another one, or itself."""
    tree = _tree(module)
    for node in tree.body if tree is not None else []:
        if isinstance(node, ast.ImportFrom) and node.module and any(alias.name == name for alias in node.names):
            return node.module
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module
    return None


@cache
def _tree(module: str) -> ast.Module | None:
    """The source of a module of vidcls or Lightning; None where it cannot be found or read."""
    package, *inner = module.split(".")
    if package == "vidcls":
        root = Path(vidcls.__file__).parent
    else:
        spec = find_spec(package)  # of the package at the top, which imports nothing
        places = list(spec.submodule_search_locations or []) if spec is not None else []
        if not places:
            return None
        root = Path(places[0])
    place = root.joinpath(*inner)
    for file in (place.with_name(f"{place.name}.py"), place / "__init__.py"):
        if file.is_file():
            try:
                return ast.parse(file.read_text(encoding="utf-8"))
            except (OSError, SyntaxError, UnicodeDecodeError):
                return None
    return None


def _targets(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]
