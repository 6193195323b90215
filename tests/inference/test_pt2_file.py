"""A ``.pt2`` file is loaded without running code, and refused where it could."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from vidcls import __version__
from vidcls.clips import InputSettings
from vidcls.errors import CheckpointError
from vidcls.inference.pt2_file import FACTS_FILE, load_pt2, write_pt2
from vidcls.model_file import ModelFacts
from vidcls.types import Stream

FACTS = ModelFacts("Net", ("a", "b"), InputSettings(("rgb",)))  # type: ignore[arg-type]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, rgb: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"model": self.linear(rgb.flatten(2).float().mean(dim=2)).softmax(dim=1)}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pt2") / "net.pt2"
    views = {0: torch.export.Dim("views", min=1)}
    clips = torch.zeros(3, 3, 1, 4, 4, dtype=torch.uint8)
    write_pt2(torch.export.export(Net().eval(), (clips,), dynamic_shapes=(views,)), path, FACTS)
    return path


def changed(good: Path, folder: Path, entries: Mapping[str, bytes], swaps: Mapping[str, str] | None = None) -> Path:
    """A copy with some entries in place of its own, or text in its graph."""
    path = folder / "changed.pt2"
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(path, "w") as target:
        content = {name: source.read(name) for name in source.namelist()}
        for before, after in (swaps or {}).items():
            assert before.encode() in content["archive/models/model.json"]
            content["archive/models/model.json"] = content["archive/models/model.json"].replace(
                before.encode(), after.encode()
            )
        for name, data in {**content, **entries}.items():
            target.writestr(name, data)
    return path


def test_it_is_loaded_with_its_facts_and_answers_any_number_of_views(good: Path) -> None:
    network = load_pt2(good)
    assert network.facts == replace(FACTS, vidcls=__version__)
    for num_views in (1, 7):
        (scores,) = network({"rgb": torch.zeros(num_views, 3, 1, 4, 4, dtype=torch.uint8)}).values()
        assert scores.shape == (num_views, 2)
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is full")
def test_a_full_disk_is_an_error_that_can_be_told(good: Path) -> None:
    """Written to a path, torch's own writer aborts the process."""
    with pytest.raises(OSError, match="No space left"):
        write_pt2(torch.export.load(good), Path("/dev/full"), FACTS)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (
            replace(FACTS, class_names=("a", "b", "c")),
            r"answers with scores \(2, 2\), expected \(2, 3\) \(model\): export",
        ),
        (replace(FACTS, rows=("model", "spatial")), "answers with the rows model, expected model, spatial: export"),
        (replace(FACTS, input=InputSettings(("rgb", Stream("x", "rgb")))), "its graph cannot be run "),  # type: ignore[arg-type]
    ],
)
def test_facts_that_are_not_those_of_the_graph_are_one_line(
    good: Path, tmp_path: Path, facts: ModelFacts, message: str
) -> None:
    network = load_pt2(changed(good, tmp_path, {f"archive/extra/{FACTS_FILE}": facts.to_json().encode()}))
    clips = torch.zeros(2, 3, 1, 4, 4, dtype=torch.uint8)
    with pytest.raises(CheckpointError, match=rf"changed\.pt2: {message}") as caught:
        network({"rgb": clips, "x": clips})
    assert "\n" not in str(caught.value)


class Touch:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (Path.touch, (self.path,))


def test_nothing_that_could_run_code_is_loaded(good: Path, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    payload = io.BytesIO()
    torch.save({"x": Touch(touched)}, payload)
    code = f"__import__('pathlib').Path({str(touched)!r}).touch()"
    symbol = next(
        text
        for text in zipfile.ZipFile(good).read("archive/models/model.json").decode().split('"')
        if "Symbol(" in text
    )
    attacks: dict[str, tuple[dict[str, bytes], dict[str, str]]] = {
        "sample inputs": ({"archive/data/sample_inputs/model.pt": payload.getvalue()}, {}),
        "object": ({"archive/data/constants/custom_obj_0": pickle.dumps(Touch(touched))}, {}),
        "library": ({"archive/data/aotinductor/model/x.so": b"\x7fELF"}, {}),
        "operator": ({}, {"torch.ops.aten.softmax.int": "os.system"}),
        "size": ({}, {symbol: code}),
    }
    for name, (entries, swaps) in attacks.items():
        with pytest.raises(CheckpointError, match=r"^[^\n]*(export it again)[^\n]*$"):
            load_pt2(changed(good, tmp_path, entries, swaps))
        assert not touched.exists(), name
    network = load_pt2(changed(good, tmp_path, {}, {'"guards_code": []': f'"guards_code": ["{code}"]'}))
    network({"rgb": torch.zeros(1, 3, 1, 4, 4, dtype=torch.uint8)})
    assert not touched.exists(), "a guard was run"
