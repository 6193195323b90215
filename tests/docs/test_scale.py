"""The page on 100 million videos has the tables that its script makes."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def scale() -> object:
    spec = importlib.util.spec_from_file_location("scale", ROOT / "benchmarks" / "scale.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale"] = module
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_the_page_are_those_of_the_script(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["scale.py"])
    scale().main()  # type: ignore[attr-defined]
    assert capsys.readouterr().out.strip() in (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")


def test_costs_are_those_of_one_video_times_their_number() -> None:
    module = scale()
    inputs = replace(module.Inputs(), videos=3.6e6, frames=11, flow_ms=100, field_kb=10, core_hour=1, gb_month=1)  # type: ignore[attr-defined]
    flow = next(row for row in module.rows(inputs) if row[0] == "flow, tvl1")  # type: ignore[attr-defined]
    # 36 million fields: 0.36 TB; 1,000 core hours; 3.6 million writes at 5 and reads at 0.4 dollars a million
    assert flow == ("flow, tvl1", "0.36", "1e+03", "0.0417", "1,019; 360")
