"""The notebook of the lecture runs from its first cell to its last, and finds what it says."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

import vidcls.models
from vidcls.types import sees

NOTEBOOK = Path(__file__).parents[2] / "docs" / "lecture.ipynb"
NUM_PICTURES = 17


def printed(notebook: NotebookNode) -> str:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "\n".join(output.text for output in outputs if output.output_type == "stream")


def num_pictures(notebook: NotebookNode) -> int:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return sum("image/png" in output.get("data", {}) for output in outputs)


def number(text: str, before: str) -> float:
    """The number that a line says right after ``before``."""
    found = re.search(rf"^{re.escape(before)} *([-+0-9.e]+)", text, re.MULTILINE)
    assert found is not None, f"{before!r} is not in:\n{text}"
    return float(found[1])


def check(notebook: NotebookNode) -> None:
    """What its text says is what its outputs show, with room for other machines."""
    text = printed(notebook)
    check_images(text)
    check_videos(text)
    assert num_pictures(notebook) == NUM_PICTURES
    assert "Traceback" not in text
    assert "Warning" not in text.replace(
        "TqdmWarning: IProgress not found", ""
    )  # of transformers, where it is installed


def check_images(text: str) -> None:
    top1_error = number(text, "LeNet-5, top-1 error on the test digits:")
    assert top1_error < 0.1
    assert number(text, "LeNet-5, top-5 error on the test digits:") <= top1_error
    losses = re.search(r"training ([0-9.]+), validation ([0-9.]+)", text)
    assert losses is not None
    assert float(losses[1]) < float(losses[2]) < 0.5
    same_class = "the nearest neighbour in the plane has the same class for"
    assert number(text, f"pixels: {same_class}") + 0.05 < number(text, f"features: {same_class}")
    assert "456 parameters" in text
    assert "14,455,392 parameters" in text  # the fully connected layer in its place
    assert "max pooling: 0 parameters" in text
    assert "first kernels of AlexNet: (96, 3, 11, 11)" in text
    assert re.search(r"sigmoid +derivative from 0\.00 to 0\.25", text)
    assert re.search(r"leaky ReLU \(\.01\) +derivative from 0\.01 to 1\.00", text)
    assert number(text, "tanh, weights ten times as large  saturated outputs:") > 50
    assert re.search(r"ReLU, biases of -10 .*dead units: 100%", text)
    for norm, num_means in (("batch", 6), ("layer", 3), ("instance", 18), ("group", 6)):
        assert number(text, f"{norm:9}") == num_means
    assert text.count("afterwards: mean 3.00, standard deviation 2.0") == 4
    loss = {
        name: number(text, f"{name:8} training loss after 3 epochs:") for name in ("resnet20", "resnet56", "plain56")
    }
    assert max(loss["resnet20"], loss["resnet56"]) < 0.5
    assert loss["plain56"] > max(1.5, 2 * number(text, "plain20  training loss after 3 epochs:"))
    last = {name: float(std) for name, std in re.findall(r"^(\w+) +with .* last layer (\S+)$", text, re.MULTILINE)}
    assert last["normal"] < 1e-12
    assert last["constant"] > 100
    assert 0.02 < last["xavier"] < 2
    assert 0.05 < last["kaiming"] < 5
    assert number(text, "constant: largest difference between units of the first stage:") == 0


def check_videos(text: str) -> None:
    heat = re.search(r"mean heat on the disc ([0-9.]+), elsewhere ([0-9.]+)", text)
    assert heat is not None
    assert float(heat[1]) > 2 * float(heat[2])
    assert number(text, "largest difference between the two maps:") <= 0.02
    assert "a clip:  (3, 16, 64, 64)" in text
    assert number(text, "single frame:") <= 0.3
    assert number(text, "early fusion:") >= 0.8
    assert "label: red_left" in text
    flow = re.search(r"where something moves: x (\S+), y (\S+)", text)
    assert flow is not None
    assert float(flow[1]) == pytest.approx(-2, abs=0.5)
    assert float(flow[2]) == pytest.approx(0, abs=0.2)
    assert number(text, "spatial:") == pytest.approx(0.25, abs=0.06)
    assert number(text, "temporal:") == pytest.approx(0.5, abs=0.06)
    assert number(text, "fused:") >= 0.9
    order = re.search(r"red_left: (\S+) as it is, (\S+) backwards, (\S+) shuffled", text)
    assert order is not None
    assert float(order[2]) < 0.2 < 0.6 < float(order[1])
    assert float(order[3]) < float(order[1]) - 0.1
    assert number(text, "block1") < 0.95 <= number(text, "block4")
    assert "trained: ['head.1.weight', 'head.1.bias']" in text
    assert number(text, "from random weights:") < 0.7 < 0.8 < number(text, "transfer:")


def test_every_output_is_followed_by_what_to_see_in_it() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if cell.cell_type == "code" and cell.outputs:
            assert following is not None, cell.source
            assert following.cell_type == "markdown", cell.source
            assert following.source.startswith("**What to see.**"), cell.source


def test_it_says_how_to_open_it_and_the_extra_exists() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert "jupyter lab docs/lecture.ipynb" in cells[1].source
    assert "'.[notebook]'" in cells[1].source
    project = tomllib.loads((NOTEBOOK.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["notebook"] == ["jupyterlab>=4"]


def test_its_sections_are_those_of_its_first_table() -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    wanted = sorted(re.findall(r"(\d+\. [^|\n]+?) *\|", cells[0].source), key=lambda title: int(title.split(".")[0]))
    assert len(wanted) == 18
    assert wanted == re.findall(r"^## (\d+\. .+)$", "\n".join(cell.source for cell in cells[1:]), re.MULTILINE)


def test_its_file_stays_small() -> None:
    assert NOTEBOOK.stat().st_size < 600_000


def test_it_has_every_model() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    source = "\n".join(cell.source for cell in notebook.cells)
    for name in set(vidcls.models.__all__):
        model = getattr(vidcls.models, name)
        if isinstance(model, type) and issubclass(model, vidcls.models.VideoClassifier):
            is_other = model is vidcls.models.VideoClassifier or issubclass(model, vidcls.models.Probe)
            is_other = is_other or sees(getattr(model, "streams", ()), "audio")  # the lecture is about what is seen
            assert f"{name}(" in source or is_other, name


def test_what_is_shown_was_run() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    check(notebook)
    numbers = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert numbers == list(range(1, len(numbers) + 1))
    for place in ("/home/", "/work/", "/tmp/"):
        assert place not in json.dumps(notebook)


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
