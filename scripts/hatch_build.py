"""A build of the wheel or of the source distribution -> the same with the commit that it was built from.

Written as ``vidcls/commit.json``; where there is no repository, as in a source distribution, the file that this already
holds stays as it is.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):  # type: ignore[misc,type-arg]
    """Adds the file; an editable installation lies in its repository and needs none."""

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Note the commit, where there is one."""
        if version == "editable" or not self._git("ls-files", "--error-unmatch", "vidcls/__init__.py"):
            return
        changes = self._git("status", "--porcelain", "--untracked-files=no")
        content = {"commit": self._git("rev-parse", "HEAD"), "is_changed": bool(changes)}
        self.folder = tempfile.TemporaryDirectory()
        file = Path(self.folder.name) / "commit.json"
        file.write_text(json.dumps(content) + "\n", encoding="utf-8")
        force_include = build_data["force_include"]
        assert isinstance(force_include, dict)
        force_include[str(file)] = "vidcls/commit.json"

    def finalize(self, version: str, build_data: dict[str, object], artifact_path: str) -> None:  # noqa: ARG002
        """Delete the temporary file."""
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def _git(self, *words: str) -> str:
        """What git says; nothing where it is missing or there is no repository."""
        program = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *words]
        try:
            done = subprocess.run(program, cwd=self.root, capture_output=True, text=True, check=False)
        except OSError:
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""
