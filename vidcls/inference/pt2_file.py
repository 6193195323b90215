"""A program of torch.export -> a ``.pt2`` file with all that its numbers mean in it, and back."""

from __future__ import annotations

import io
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vidcls.errors import CheckpointError, first_line
from vidcls.inference.pt2_checks import check_archive, tensors_only
from vidcls.model_file import OF_THIS_FILE, ModelFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch.export import ExportedProgram

FACTS_FILE = "vidcls.json"
UNREADABLE = (
    *(RuntimeError, ValueError, TypeError, KeyError, AttributeError, AssertionError, OSError),
    *(zipfile.BadZipFile, pickle.UnpicklingError),
)
"""What torch raises for an archive that is damaged, of another version, or has objects that are no tensors."""


def write_pt2(program: ExportedProgram, path: Path, facts: ModelFacts) -> None:
    """Write graph and facts.

    Raises:
        OSError: it cannot be written.
    """
    archive = io.BytesIO()  # where the disk is full, torch's own writer of files aborts the process
    torch.export.save(program, archive, extra_files={FACTS_FILE: facts.to_json()})
    path.write_bytes(archive.getbuffer())


@dataclass(frozen=True)
class ExportedNetwork:
    """What a ``.pt2`` file holds.

    Args:
        facts: what its numbers mean.
        module: streams of views as loaded, in the order of ``facts.input.streams`` -> scores ``(B, K)`` by row.
        path: the file, for messages.
    """

    facts: ModelFacts
    module: nn.Module
    path: Path

    def __call__(self, streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Scores ``(B, K)`` by row; streams ``(B, C, T, H, W)`` by name, as the loader hands them over.

        Raises:
            CheckpointError: the graph is not the one that the file says it is.
        """
        views = [streams[stream.name] for stream in self.facts.input.streams]
        try:
            found: dict[str, Tensor] = self.module(*views)
        except (RuntimeError, ValueError, TypeError) as error:
            raise CheckpointError(
                f"{self.path}: its graph cannot be run ({first_line(error)}): {OF_THIS_FILE}"
            ) from error
        rows = self.facts.rows
        if tuple(found) != rows:
            raise CheckpointError(
                f"{self.path}: answers with the rows {', '.join(found)}, expected {', '.join(rows)}: {OF_THIS_FILE}"
            )
        expected = (len(views[0]), len(self.facts.class_names))
        for row, scores in found.items():
            if scores.shape != expected:
                raise CheckpointError(
                    f"{self.path}: answers with scores {tuple(scores.shape)}, expected {expected} ({row}): "
                    f"{OF_THIS_FILE}"
                )
        return found


def load_pt2(path: str | Path) -> ExportedNetwork:
    """The network of a file that ``vidcls export`` wrote, on the CPU. Loading runs no code of the file's own.

    Raises:
        CheckpointError: there is no such file, it is damaged, was written by something else, or has what could run
            code.
    """
    path = Path(path)
    facts = read_facts(path)
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(path, archive)
        with tensors_only():
            program = torch.export.load(path)
        module = program.module(check_guards=False)  # guards are text of the file that torch would run
    except UNREADABLE as error:
        raise CheckpointError(
            f"{path}: cannot be loaded by torch {torch.__version__} ({first_line(error)}): export it again with this "
            "version"
        ) from error
    return ExportedNetwork(facts, module, path)


def read_facts(path: Path) -> ModelFacts:
    """What a file says of itself; no weight is read.

    Raises:
        CheckpointError: as of :func:`load_pt2`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            inside = next((name for name in archive.namelist() if name.endswith(f"/{FACTS_FILE}")), None)
            text = None if inside is None else archive.read(inside).decode()
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: is not a readable .pt2 file ({first_line(error)}): export it again") from error
    if text is None:
        raise CheckpointError(f"{path}: was not written by vidcls export (it has no {FACTS_FILE}): export it with that")
    return ModelFacts.from_json(text, path)
