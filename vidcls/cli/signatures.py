"""Classes of vidcls and of Lightning -> the arguments that they take, read from their source without importing it.

Importing torch and Lightning takes seconds, which a misspelt option should not cost. The source is that of the
installed version, so nothing here has to be kept up to date. Where a source cannot be found or read the answer is None,
and whoever asks leaves the question to the parser.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.machinery import PathFinder
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


@dataclass(frozen=True)
class Argument:
    """What a class or function takes.

    Args:
        name: of the argument.
        kind: its type, as it is written.
        default: as it is written; None where it must be given.
        text: what the docstring says of it.
        module: which defines the class that takes it, and knows the names in its type.
    """

    name: str
    kind: str
    default: str | None
    text: str
    module: str


def described(module: str, class_name: str) -> list[Argument]:
    """The arguments of a class with what its docstrings say of them, also those that it hands on to its base."""
    found = _class(module, class_name)
    if found is None:
        return []
    init = next((node for node in found.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"), None)
    texts = _argument_texts(ast.get_docstring(found) or "")
    arguments: list[Argument] = []
    hands_on = init is None or init.args.kwarg is not None
    if init is not None:
        texts |= _argument_texts(ast.get_docstring(init) or "")
        positional = [*init.args.posonlyargs, *init.args.args]
        defaults = [*[None] * (len(positional) - len(init.args.defaults)), *init.args.defaults]
        for arg, default in [
            *zip(positional, defaults, strict=True),
            *zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True),
        ]:
            if arg.arg != "self":
                arguments.append(_argument(arg.arg, arg.annotation, default, texts, module))
    for field in found.body if init is None else ():  # of a dataclass
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.target.id in texts:
            arguments.append(_argument(field.target.id, field.annotation, field.value, texts, module))
    base = next((base.id for base in found.bases if isinstance(base, ast.Name)), None)
    home = _imported_from(module, base) if hands_on and base is not None else None
    names = {argument.name for argument in arguments}
    inherited = described(home, base) if home is not None and base is not None else []
    return [*arguments, *(argument for argument in inherited if argument.name not in names)]


def located(module: str, name: str) -> tuple[str, str] | None:
    """The module in which a class lies that a module uses by this name, and its name; None where it is no class."""
    for _ in range(5):  # packages hand names on
        if _class(module, name) is not None:
            return module, name
        home = _imported_from(module, name)
        if home is None or home == module:
            return None
        module = home
    return None


def _argument(
    name: str, annotation: ast.expr | None, default: ast.expr | None, texts: dict[str, str], module: str
) -> Argument:
    written = None if default is None else ast.unparse(default)
    if written is not None and written.startswith("field("):  # of a dataclass: what its factory makes
        made = re.fullmatch(r"field\(default_factory=lambda: (.*)\)", written)
        plain = {"field(default_factory=list)": "[]", "field(default_factory=dict)": "{}"}.get(written, "")
        written = made[1] if made else plain
    kind = "" if annotation is None else ast.unparse(annotation)
    return Argument(name, _with_choices(kind, module), written, texts.get(name, ""), module)


def _with_choices(kind: str, module: str) -> str:
    """A type with the names of choices replaced by the choices."""
    for name in re.findall(r"\b[A-Z]\w+\b", kind):
        home = _imported_from(module, name) or module
        tree = _tree(home)
        for node in tree.body if tree is not None else ():
            value = node.value if isinstance(node, ast.Assign) and _targets(node) == [name] else None
            if isinstance(value, ast.Subscript) and ast.unparse(value).startswith("Literal["):
                kind = re.sub(rf"\b{name}\b", ast.unparse(value), kind)
    return re.sub(r"Literal\[([^\]]*)\]", lambda found: found[1].replace(", ", " | "), kind)


def _argument_texts(docstring: str) -> dict[str, str]:
    """What the section ``Args`` of a docstring says, by argument."""
    section = re.search(r"^ *Args:\n(.*?)(?=^ {0,4}[A-Z]\w*:\s*\n|\Z)", docstring, flags=re.MULTILINE | re.DOTALL)
    texts: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc("\n" + section[1]).splitlines() if section else ():
        start = re.match(r"\**(\w+)(?: \([^)]*\))?: ?(.*)", line)
        if start:
            name, line = start[1], start[2]
        if name and line.strip():
            texts[name] = f"{texts.get(name, '')} {line.strip()}".strip()
    return texts


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
        spec = PathFinder.find_spec(package, [*sys.path, str(Path.cwd())])  # of the top alone, which imports nothing
        if spec is None or spec.origin is None:
            return None
        root = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin).with_suffix("")
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
