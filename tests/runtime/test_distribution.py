"""The wheel vidcls-runtime holds what predicting takes and no more, and predicts where nothing else is installed."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from onnx_files import write_onnx
from reference_models import odd_videos, reference

from vidcls import __version__
from vidcls.loading import VideoDataModule
from vidcls.transforms import TransformSettings

pytest.importorskip("build")
pytest.importorskip("hatchling")

ROOT = Path(__file__).resolve().parents[2]
IMPORTED_AS = {"decord2": "decord", "opencv-python-headless": "cv2", "pillow": "PIL", "pyyaml": "yaml"}
IMPORTED_AS["python-multipart"] = "python_multipart"
WITH_FASTAPI = {"pydantic", "starlette"}
OPTIONAL = {"aiohttp", "torch", "torchcodec", "fsspec", "upath", "huggingface_hub", "ray", "jsonargparse"}
"""Imported in functions of the wheel, which say what is missing where it is."""
OF_DATA_SETS = {"pyarrow", "sklearn"}
"""Imported where lists are read and cut; of the data sets predicting calls what writes segments for label tools."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT / "runtime")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def imported(tree: ast.AST) -> set[str]:
    """The modules that a file imports anywhere but for type checkers, as far as ``from`` says."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        found |= imported(node)
    return found


def test_the_wheel_has_the_modules_of_predicting_and_asks_for_the_libraries_that_they_import(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith("vidcls/") and name.endswith(".py")]
        trees = {name: ast.parse(archive.read(name)) for name in names}
        scripts = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("entry_points.txt"))
    packages = {name.split("/")[1] for name in names if name.count("/") > 1}
    assert {"runtime", "video", "clips", "transforms", "flow", "predict", "cli", "tasks", "serve"} <= packages
    assert not packages & {
        "models",
        "training",
        "loading",
        "layers",
        "inference",
        "export",
        "report",
    }
    assert "vidcls = vidcls.cli:entry" in scripts
    project = tomllib.loads((ROOT / "runtime" / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
    required = [*project["dependencies"], *project["optional-dependencies"]["serve"]]
    libraries = {requirement.partition(">")[0] for requirement in required}
    used = {name.partition(".")[0] for tree in trees.values() for name in imported(tree)}
    used -= sys.stdlib_module_names | {"vidcls"}
    assert {IMPORTED_AS.get(name, name) for name in libraries} <= used
    assert used <= {IMPORTED_AS.get(name, name) for name in libraries} | WITH_FASTAPI | OPTIONAL | OF_DATA_SETS
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = whole["optional-dependencies"]
    needed = {name.partition(">")[0]: name for name in (*whole["dependencies"], *extras["runtime"], *extras["serve"])}
    for requirement in required:
        name = requirement.partition(">")[0].removesuffix("-headless")
        assert needed[name].partition(">")[2] == requirement.partition(">")[2], requirement  # the same least version


@pytest.mark.slow
def test_where_only_the_wheel_is_installed_it_predicts_and_says_what_it_cannot(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxscript")
    data = VideoDataModule(
        odd_videos(tmp_path / "videos"),
        streams=("rgb",),
        transform=TransformSettings(resize_px=36, crop_px=32),
        num_workers=0,
    )
    found = reference(data, tmp_path / "best.ckpt")
    write_onnx(found.checkpoint, tmp_path / "model.onnx")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    folder = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin")
    install = subprocess.run([folder / "python", "-m", "pip", "install", "-q", wheel], capture_output=True, text=True)
    if install.returncode:
        pytest.skip(f"the packages of the wheel cannot be installed here: {install.stderr[-200:]}")
    listed = subprocess.run([folder / "python", "-m", "pip", "list"], capture_output=True, text=True).stdout
    assert "onnxruntime" in listed
    assert "torch" not in listed

    def run(*words: str) -> tuple[int, str, str]:
        done = subprocess.run([folder / "vidcls", *words], capture_output=True, text=True, cwd=tmp_path)
        return done.returncode, done.stdout, done.stderr

    videos = [str(video) for video in found.videos]
    status, said, error = run("predict", "model.onnx", *videos, "--output", "p.csv", "--overlay", "labelled")
    assert (status, len(said.splitlines())) == (0, len(videos)), error
    rows = (tmp_path / "p.csv").read_text().splitlines()[1:]
    for row, expected in zip(rows, found.scores["model"], strict=True):
        assert [float(cell) for cell in row.split(",")[4:]] == pytest.approx(expected.tolist(), abs=1e-4)
    windows = run("predict", "model.onnx", videos[-1], "--window_seconds", "0.5")
    assert (windows[0], len(windows[1].splitlines())) == (0, 5), windows
    for words in (
        ("fit", "--config", "two_stream"),
        ("predict", "best.ckpt", videos[0]),
        ("demo",),
        ("data", "check", "x"),
    ):
        status, _, error = run(*words)
        assert status == 2
        assert error.startswith(f"vidcls: error: {words[0]}: this is vidcls-runtime: install vidcls to train"), error
    assert run("predict", "--help")[0] == 0
    assert "--windw_seconds" in run("predict", "model.onnx", videos[0], "--windw_seconds", "1")[2]
