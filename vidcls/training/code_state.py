"""A folder, or vidcls itself -> the commit of its code, and whether its files differ from it."""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import vidcls
from vidcls.settings_file import parse_json, read_json

GIT_SECONDS = 5  # a repository on a slow disk must not hold up a training
COMMIT_FILE = "commit.json"
"""Beside the package, written where a wheel is built from a repository."""


def vidcls_code() -> dict[str, object]:
    """``version`` of vidcls, and its ``commit`` and whether it ``is_changed``, None where they are not known.

    A wheel keeps the commit that it was built from, one that pip installed from a repository's address notes it, and
    an editable installation lies in its repository.
    """
    package = Path(vidcls.__file__).parent
    found = _built_from(package) or _installed_from() or _tracked(package) or {"commit": None, "is_changed": None}
    return {"version": vidcls.__version__, **found}


def _built_from(package: Path) -> dict[str, object] | None:
    try:
        content = read_json(package / COMMIT_FILE)
        return {"commit": content["commit"], "is_changed": content["is_changed"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _installed_from() -> dict[str, object] | None:
    """What pip notes of ``pip install git+https://...`` (PEP 610)."""
    try:
        noted = parse_json(distribution("vidcls").read_text("direct_url.json") or "{}")
        return {"commit": noted["vcs_info"]["commit_id"], "is_changed": False}
    except (PackageNotFoundError, OSError, ValueError, KeyError, TypeError):
        return None


def _tracked(package: Path) -> dict[str, object] | None:
    """Of the repository that tracks the package; another, such as one around a ``.venv``, is not it."""
    if not _git(package, "ls-files", "--error-unmatch", "__init__.py"):
        return None
    return git_state(package)


def git_state(folder: Path) -> dict[str, object] | None:
    """Commit of the repository that a folder lies in, and whether its files differ from it; None outside of one."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "is_changed": bool(changes)}


def remote_holds_secret(folder: Path) -> bool:
    """Whether the address of a remote of the repository that a folder lies in has a name or password in it."""
    addresses = _git(folder, "config", "--get-regexp", r"^remote\..*\.(push)?url$") or ""
    return any(re.search(r"://[^/\s]*@", line) for line in addresses.splitlines())


def _git(folder: Path, *words: str) -> str | None:
    """What git says; it starts no program that the settings of the repository name, and writes nothing."""
    program = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *words]
    try:
        done = subprocess.run(program, cwd=folder, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
