"""What a reader pastes into a shell has no ``<placeholder>``: bash takes ``<`` and ``>`` for files, and empties one."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACEHOLDER = re.compile(r"<[A-Za-z_][\w -]*>")
COMMAND = re.compile(r"\b(vidcls(\.Predictor\()?|python -m vidcls|wandb sync|torchrun|make|pip install) ?.*")


def test_no_command_has_a_placeholder_that_a_shell_takes_for_a_file() -> None:
    pages = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
    pages += [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.ipynb"), *(ROOT / "benchmarks").rglob("*.md")]
    pages += [*(ROOT / "vidcls").rglob("*.py"), *(ROOT / "scripts").rglob("*.*"), *(ROOT / "configs").rglob("*.yaml")]
    found = []
    for page in pages:
        for number, line in enumerate(page.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            command = COMMAND.search(line)
            placeholder = PLACEHOLDER.search(command[0]) if command else None
            is_markup = placeholder is not None and re.search(r"</|<(img|td|th|tr|table|class)\b", line)
            is_path = placeholder is not None and re.search(r"`(vidcls|configs|tests|docs)/", line)
            if placeholder is not None and not is_markup and not is_path:
                found.append(f"{page.relative_to(ROOT)}:{number}: {line.strip()}")
            if "<time>" in line and "runs/" in line:
                found.append(f"{page.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found, "\n".join(found)
