"""``mypackage.MyBackbone``, or with arguments ``mypackage.MyBackbone(width=32)`` -> a backbone of one's own."""

from __future__ import annotations

import ast
import importlib
from dataclasses import dataclass

from vidcls.class_arguments import arguments_of
from vidcls.layers.backbones.base import Backbone
from vidcls.layers.settings import LayerSettings
from vidcls.layers.weight_init import check_is_file, is_checkpoint, load_backbone
from vidcls.spelling import did_you_mean
from vidcls.trusted_classes import check_may_import

LONGEST = 1000  # characters; what is longer is no name
GIVEN = ("in_channels", "weights", "layers", "num_towers")  # what a model says


@dataclass(frozen=True)
class OwnClass:
    """A class with arguments, as a name says them.

    Args:
        class_path: where it is imported from.
        arguments: plain values by name.
    """

    class_path: str
    arguments: dict[str, object]


def own_class(name: str) -> OwnClass | None:
    """The class that a name of a backbone means; None where it is a name of another kind.

    >>> own_class("mynet.MyBackbone(width=32)")
    OwnClass(class_path='mynet.MyBackbone', arguments={'width': 32})
    >>> own_class("timm/resnet26d.bt_in1k"), own_class("resnet18")
    (None, None)

    Raises:
        ValueError: its arguments are not plain values by name.
    """
    try:
        found = ast.parse(name, mode="eval").body if len(name) <= LONGEST else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    call = found if isinstance(found, ast.Call) else None
    path = _dotted(call.func if call is not None else found)
    if path is None or "." not in path:
        return None
    if call is None:
        return OwnClass(path, {})
    try:
        arguments = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords if each.arg}
    except ValueError:
        arguments = {}
    if call.args or len(arguments) < len(call.keywords):
        raise ValueError(f"backbone {name!r}: expected plain values by name, such as {path}(width=32)")
    return OwnClass(path, arguments)


def build_own(
    named: OwnClass, in_channels: int, *, weights: str | None, layers: LayerSettings | None, num_towers: int = 1
) -> Backbone:
    """The backbone that is meant; what the model says is passed on where the class takes it.

    Args:
        named: the class and its arguments.
        in_channels: C of the input, which the class must take.
        weights: initial weights: a file, or what the class takes as ``weights``.
        layers: normalisation, activation and initial weights, for a class that takes ``layers``.
        num_towers: see :class:`Backbone`, for a class that takes it.

    Raises:
        ConfigurationError: a file names the class, and nobody has allowed it.
        ValueError: there is no such class, it is no backbone, or does not take the arguments.
    """
    path = named.class_path
    found = _imported(path)
    takes = arguments_of(found)
    for name in named.arguments:
        if name in GIVEN:
            raise ValueError(f"backbone {path}: {name} is set by the model: remove it")
        if name not in takes:
            hint = did_you_mean(name, takes, otherwise=f"it takes {', '.join(takes)}")
            raise ValueError(f"backbone {path}: unknown argument {name}; {hint}")
    if "in_channels" not in takes:
        raise ValueError(f"backbone {path}: its __init__ must take in_channels, the number of channels of its input")
    given: dict[str, object] = {"in_channels": in_channels, **named.arguments}
    if num_towers > 1:
        given["num_towers"] = num_towers
    if layers not in (None, LayerSettings()):
        given["layers"] = layers
    takes_weights = "weights" in takes and not is_checkpoint(weights)
    if weights is not None and takes_weights:
        given["weights"] = weights
    elif weights is not None:
        check_is_file(path, weights)
    missing = [name for name in given if name not in takes]
    if missing:
        raise ValueError(f"backbone {path}: takes no {missing[0]}, which this model sets: add it, or use another model")
    backbone: Backbone = found(**given)  # type: ignore[arg-type]
    if weights is not None and not takes_weights:
        load_backbone(backbone, weights)
    return backbone


def _imported(path: str) -> type[Backbone]:
    check_may_import(path)
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        raise ValueError(
            f"backbone {path}: cannot be imported ({error}): run where that module lies, or set PYTHONPATH"
        ) from error
    if found is None:
        raise ValueError(f"backbone {path}: cannot be imported: {module} has no {name}")
    if not (isinstance(found, type) and issubclass(found, Backbone)):
        raise ValueError(f"backbone {path}: is not a subclass of vidcls.layers.Backbone")
    return found


def _dotted(node: ast.expr | None) -> str | None:
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return None if before is None else f"{before}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else None
