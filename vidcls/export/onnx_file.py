"""A graph -> an ``.onnx`` file with all that its numbers mean in it, whole or absent."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from vidcls.errors import ExportError, first_line
from vidcls.export.graph import ScoringGraph
from vidcls.model_file import METADATA_KEY, ModelFacts

if TYPE_CHECKING:
    import onnx_ir as ir
    from torch.export import ExportedProgram

VIEWS = "views"
MOST_BYTES = 2**31 - 2**22  # of one protobuf message, less what is not weights


def write_onnx(graph: ScoringGraph, program: ExportedProgram, path: Path) -> None:
    """Write the graph without its facts; see :func:`write_facts`.

    Raises:
        ExportError: an operator has no counterpart in ONNX, or the weights do not fit into one file.
    """
    if graph.num_bytes > MOST_BYTES:
        raise ExportError(
            f"its weights take {graph.num_bytes / 1e9:.1f} GB, and an .onnx file holds 2 GB: pass OUT.pt2, or "
            "--precision fp16"
        )
    try:
        with _quiet():
            found = torch.onnx.export(
                program,
                input_names=list(graph.stream_names),
                dynamo=True,
                verbose=False,
            )
    except (RuntimeError, ValueError, TypeError) as error:
        raise ExportError(
            f"{type(graph.network).__name__} cannot be written as ONNX ({first_line(error)}): pass OUT.pt2 in its place"
        ) from error
    assert found is not None
    _name_outputs(found.model.graph, output_names(graph))
    _name_axis(found.model.graph)
    found.save(str(path), external_data=False)


def output_names(graph: ScoringGraph) -> list[str]:
    """Those of the rows; one that is called like a stream, which a graph cannot tell apart, has ``scores_`` before."""
    return [f"scores_{row}" if row in graph.stream_names else row for row in graph.row_names]


def _name_outputs(graph: ir.Graph, names: Sequence[str]) -> None:
    """Call the outputs by these names, and give other names to values inside that have them, such as ``mean``."""
    outputs = set(graph.outputs)
    for node in graph.all_nodes():
        for value in node.outputs:
            if value.name in names and value not in outputs:
                value.name = f"{value.name}.inside"
    for value in (*graph.initializers.values(), *graph.inputs):
        assert value.name not in names, f"{value.name} is called like an output"
    for output in graph.outputs:
        output.name = f"{output.name}.output"  # those that swap names would meet
    for output, name in zip(graph.outputs, names, strict=True):
        output.name = name


def _name_axis(graph: ir.Graph) -> None:
    """Call the one axis that is not fixed ``views``, in the inputs and outputs."""
    import onnx_ir as ir

    for value in (*graph.inputs, *graph.outputs):
        if value.shape is not None and not isinstance(value.shape[0], int):
            value.shape = ir.Shape([VIEWS, *value.shape[1:]])


def write_facts(path: Path, facts: ModelFacts) -> None:
    """Put the facts into a file in place of those that it has."""
    import onnx

    model = onnx.load(path)
    kept = {entry.key: entry.value for entry in model.metadata_props if entry.key != METADATA_KEY}
    onnx.helper.set_model_props(model, {**kept, METADATA_KEY: facts.to_json()})
    onnx.save(model, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's notes about operators that it has no use for, such as those of torchvision."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)
