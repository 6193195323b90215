"""The names that users and other packages build on: they are there, and no module offers one that is not."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import vidcls

PUBLIC = {
    "vidcls.callbacks": {"MetricsLog", "ResultFiles", "WandbRun"},
    "vidcls.clips": {"InputSettings"},
    "vidcls.loading": {"VideoDataModule"},
    "vidcls.datasets": {
        "HMDB51",
        "UCF101",
        "Kinetics",
        "MovingShapes",
        "SomethingSomething",
        "VideoCsv",
        "VideoDataset",
        "VideoFolder",
    },
    "vidcls.flow": {"FlowSettings", "FlowStore", "estimate", "open_flow_store"},
    "vidcls.layers": {"build_backbone"},
    "vidcls.models": {"SingleFrame", "TwoStream", "VideoClassifier", "load_classifier"},
    "vidcls.predict": {"Predictor"},
    "vidcls.transforms": {"TransformSettings"},
    "vidcls.video": {"open_video", "write_video", "VideoReader", "BACKENDS"},
}
MODULES = sorted(module.name for module in pkgutil.walk_packages(vidcls.__path__, "vidcls."))


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_a_package_offers_what_others_rely_on(module: str) -> None:
    package = importlib.import_module(module)
    assert set(package.__all__) >= PUBLIC[module]
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_the_package_itself_offers_a_flat_list_of_names_and_nothing_else() -> None:
    assert vidcls.__all__ == sorted(vidcls.__all__)
    assert set(vidcls.__all__) == {
        "__version__",
        *("datasets", "VideoPart", "VideoRecord", "open_video", "write_video"),
        *("FlowSettings", "FlowStore", "VideoDataModule"),
        *("models", "VideoClassifier", "build_backbone", "load_classifier"),
        *("Predictor", "Prediction", "Explainer", "load", "allow_remote"),
    }
    for name in vidcls.__all__:
        assert getattr(vidcls, name) is not None
    assert {*vidcls.__all__} <= {*dir(vidcls)}
    with pytest.raises(AttributeError, match="no attribute 'Predictors'"):
        vidcls.Predictors  # noqa: B018


def test_an_editor_knows_the_types_of_all_names() -> None:
    """Names that are imported when they are first used are declared where a type checker reads them."""
    file = Path(vidcls.__file__)
    assert file.with_name("py.typed").is_file()
    declared = next(node for node in ast.parse(file.read_text()).body if isinstance(node, ast.If))
    names = {alias.name for node in declared.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert names == {*vidcls.__all__} - {"__version__"}


def test_nothing_that_a_configuration_names_has_a_shorter_name_than_before() -> None:
    named = {*vidcls.datasets.__all__, *vidcls.models.__all__} - {"VideoClassifier", "load_classifier"}
    assert not named & {*vidcls.__all__}


def test_importing_the_package_imports_no_library() -> None:
    code = "import sys, vidcls; print(sorted({'torch', 'numpy', 'lightning'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_can_be_imported_says_what_it_is_and_offers_what_it_has(module: str) -> None:
    imported = importlib.import_module(module)
    assert imported.__doc__
    for name in getattr(imported, "__all__", ()):
        assert hasattr(imported, name), name


@pytest.mark.parametrize(
    ("module", "name", "parameters"),
    [
        ("vidcls.video", "open_video", ["source", "backend"]),
        ("vidcls.models", "load_classifier", ["path"]),
        ("vidcls.flow", "estimate", ["frames", "method"]),
        ("vidcls.predict", "Predictor", ["path"]),
    ],
)
def test_a_function_begins_with_the_arguments_that_others_rely_on(
    module: str, name: str, parameters: list[str]
) -> None:
    function = getattr(importlib.import_module(module), name)
    assert list(inspect.signature(function).parameters)[: len(parameters)] == parameters


def test_every_error_that_the_world_can_cause_is_a_vidcls_error() -> None:
    errors = importlib.import_module("vidcls.errors")
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]
    assert {kind.__name__ for kind in kinds} >= {"DecodeError", "DatasetError", "FlowError", "CheckpointError"}
    assert all(issubclass(kind, errors.VidclsError) for kind in kinds)
