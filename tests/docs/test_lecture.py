"""The notebook of the lecture runs from its first cell to its last, and finds what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

import vidcls.models

NOTEBOOK = Path(__file__).parents[2] / "docs" / "lecture.ipynb"


def printed(notebook: NotebookNode) -> str:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(output.text for output in outputs if output.output_type == "stream")


def num_pictures(notebook: NotebookNode) -> int:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def accuracy(text: str, way: str) -> float:
    found = re.search(rf"^{way}: ([0-9.]+)", text, re.MULTILINE)
    assert found is not None, text
    return float(found[1])


def check(notebook: NotebookNode) -> None:
    text = printed(notebook)
    assert "a clip:  (3, 16, 64, 64)" in text
    assert "456 parameters" in text
    assert "14,455,392 parameters" in text  # the fully connected layer in its place
    assert "first kernels of AlexNet: (96, 3, 11, 11)" in text
    assert accuracy(text, "single frame") <= 0.3
    assert accuracy(text, "early fusion") >= 0.8
    assert "trained: ['head.1.weight', 'head.1.bias']" in text
    assert num_pictures(notebook) == 6
    assert "Traceback" not in text
    assert "Warning" not in text


def test_it_has_every_model() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    source = "\n".join(cell.source for cell in notebook.cells)
    for name in set(vidcls.models.__all__):
        model = getattr(vidcls.models, name)
        if isinstance(model, type) and issubclass(model, vidcls.models.VideoClassifier):
            assert f"{name}(" in source or model is vidcls.models.VideoClassifier, name


def test_what_is_shown_was_run() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    check(notebook)
    numbers = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "/home/" not in json.dumps(notebook)


@pytest.mark.filterwarnings("ignore")
def test_it_runs_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    check(notebook)
