"""A checkpoint -> an exported file as ``vidcls export`` lays it out, without its comparison, which takes longer."""

from __future__ import annotations

from pathlib import Path

from vidcls.export.export import graph_of
from vidcls.export.graph import ScoringGraph, exported_program
from vidcls.export.onnx_file import write_facts
from vidcls.export.onnx_file import write_onnx as write_graph
from vidcls.inference.pt2_file import write_pt2 as write_program
from vidcls.model_file import ModelFacts


def write_onnx(checkpoint: Path, path: Path) -> Path:
    """Write the file for onnxruntime."""
    graph = graph_of(checkpoint)
    write_graph(graph, exported_program(graph), path)
    write_facts(path, _facts(graph))
    return path


def write_pt2(checkpoint: Path, path: Path) -> Path:
    """Write the file for torch.export."""
    graph = graph_of(checkpoint)
    write_program(exported_program(graph), path, _facts(graph))
    return path


def _facts(graph: ScoringGraph) -> ModelFacts:
    network, rows = graph.network, graph.row_names
    return ModelFacts(
        model=type(network).__name__,
        class_names=network.class_names,
        input=graph.settings,
        rows=rows,
        decision=network.decision,
    )
