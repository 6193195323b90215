"""``vidcls pull``: a repository on the Hugging Face Hub -> a folder that is used like a run."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from pathlib import Path

from vidcls.cli.argument_parser import OneLineParser
from vidcls.console import say
from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.hub_repository import Repository, fetched
from vidcls.runs.folder import CARD, CHECKPOINTS, PULLED

DESCRIPTION = """Download a model that vidcls push uploaded to the Hugging Face Hub. The folder is used like a run.

  vidcls pull user/fall-detector                 # into ./fall-detector
  vidcls pull user/fall-detector@v2 model
  vidcls predict fall-detector new.mp4

Only files that vidcls push writes are fetched; reading a checkpoint runs no code of it."""


def main(argv: list[str]) -> int:
    """Download the model; returns the exit status.

    Raises:
        VidclsError: no such repository, it holds no model of vidcls, or the folder exists.
    """
    parser = OneLineParser("pull", DESCRIPTION)
    parser.add_argument("repository", metavar="USER/NAME", help="the repository, with @REVISION for one of its states")
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="a new folder (default: ./NAME)")
    options = parser.parse_args(argv)
    repository = Repository.of(options.repository)
    folder = options.folder or Path(repository.name.partition("/")[2])
    if folder.exists():
        raise ConfigurationError(f"{folder}: already exists: move it away, or pass another folder")
    found = fetched(repository, PULLED)
    if not any((found / CHECKPOINTS).glob("*.ckpt")):
        raise CheckpointError(f"{repository}: holds no model of vidcls: expected {CHECKPOINTS}/best.ckpt")
    _copy(found, folder)
    card = f", described in {folder / CARD}" if (folder / CARD).is_file() else ""
    say(f"pulled: {folder}{card}")
    say(f"next: vidcls predict {shlex.quote(str(folder))} VIDEO")
    return 0


def _copy(found: Path, folder: Path) -> None:
    """Copy the files that are known out of the Hub's cache, whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        inside = Path(made) / folder.name
        for pattern in PULLED:
            for file in found.glob(pattern):
                (inside / file.relative_to(found)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, inside / file.relative_to(found))
        inside.replace(folder)
