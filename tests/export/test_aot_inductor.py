"""A .pt2 file is compiled for this machine by AOTInductor, as docs/export.md says, where there is a C++ compiler."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from export_cases import saved_checkpoint

from vidcls.export.export import export, graph_of


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_a_compiled_program_answers_one_view_and_many_as_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    checkpoint = saved_checkpoint(tmp_path)
    export(checkpoint, tmp_path / "model.pt2")
    program = torch.export.load(tmp_path / "model.pt2")
    torch._inductor.aoti_compile_and_package(program, package_path=str(tmp_path / "compiled.pt2"))
    compiled, graph = torch._inductor.aoti_load_package(str(tmp_path / "compiled.pt2")), graph_of(checkpoint)
    for num_views in (1, 4):
        views = graph.example(num_views=num_views)
        with torch.inference_mode():
            expected, found = graph(*views), compiled(*views)
        assert list(found) == list(expected)
        for row, scores in found.items():
            torch.testing.assert_close(scores, expected[row], atol=1e-5, rtol=0)
