"""Which code ran: the commit of a folder, and that of vidcls itself, wherever it was installed from."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

import vidcls
from vidcls.training import code_state
from vidcls.training.code_state import git_state, vidcls_code


def test_the_commit_and_whether_files_differ_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))  # whatever repository lies around the test
    assert git_state(tmp_path) is None
    repository = tmp_path / "code"
    repository.mkdir()

    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(["git", *identity, *words], cwd=repository, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    (repository / "net.py").write_text("x = 1\n")
    git("add", "net.py")
    git("commit", "-qm", "first")
    assert git_state(repository) == {"commit": git("rev-parse", "HEAD"), "is_changed": False}
    (repository / "net.py").write_text("x = 2\n")
    assert git_state(repository) == {"commit": git("rev-parse", "HEAD"), "is_changed": True}
    assert json.dumps(git_state(repository))


def repository_with(folder: Path, file: str) -> str:
    """A repository in which a file is tracked; gives its commit."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", file], ["commit", "-qm", "first"]):
        subprocess.run(["git", *identity, *words], cwd=folder, check=True)
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the package, which pip knows nothing of."""

    def unknown(_: str) -> None:
        raise PackageNotFoundError

    folder = tmp_path / "code" / "vidcls"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setattr(vidcls, "__file__", str(folder / "__init__.py"))
    monkeypatch.setattr(code_state, "distribution", unknown)
    return folder


def test_an_editable_installation_has_the_commit_of_its_repository(package: Path) -> None:
    commit = repository_with(package.parent, "vidcls/__init__.py")
    assert vidcls_code() == {"version": vidcls.__version__, "commit": commit, "is_changed": False}


def test_a_repository_that_lies_around_an_installation_is_not_its_own(package: Path) -> None:
    (package.parent / "mine.py").write_text("")
    repository_with(package.parent, "mine.py")
    assert vidcls_code() == {"version": vidcls.__version__, "commit": None, "is_changed": None}


def test_a_wheel_has_the_commit_that_it_was_built_from(package: Path) -> None:
    (package / "commit.json").write_text('{"commit": "abc", "is_changed": true}\n')
    assert vidcls_code() == {"version": vidcls.__version__, "commit": "abc", "is_changed": True}


def test_what_pip_took_from_a_repository_has_the_commit_that_it_noted(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Noted:
        def read_text(self, _: str) -> str:
            return json.dumps({"url": "https://x", "vcs_info": {"vcs": "git", "commit_id": "def"}})

    monkeypatch.setattr(code_state, "distribution", lambda _: Noted())
    assert package.is_dir()
    assert vidcls_code()["commit"] == "def"


@pytest.mark.parametrize("is_tracked", [True, False])
def test_a_build_adds_the_commit_where_it_is_made_in_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_tracked: bool
) -> None:
    pytest.importorskip("hatchling", reason="the build backend is not installed")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "vidcls").mkdir()
    (tmp_path / "vidcls" / "__init__.py").write_text("")
    (tmp_path / "other.py").write_text("")
    commit = repository_with(tmp_path, "vidcls/__init__.py" if is_tracked else "other.py")
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "scripts")
    from hatch_build import CommitHook

    hook = CommitHook(str(tmp_path), {}, None, None, "", "wheel")
    data: dict[str, dict[str, str]] = {"force_include": {}}
    hook.initialize("standard", data)  # type: ignore[arg-type]
    added = {place: json.loads(Path(file).read_text()) for file, place in data["force_include"].items()}
    assert added == ({"vidcls/commit.json": {"commit": commit, "is_changed": False}} if is_tracked else {})
    hook.finalize("standard", {}, "")
    hook.initialize("editable", data)
    assert len(data["force_include"]) == is_tracked
    sys.modules.pop("hatch_build")
