"""A ``.zip`` file of ``vidcls export`` -> what scores videos with all its members, without torch."""

from __future__ import annotations

import tempfile
import zipfile
from os import PathLike
from pathlib import Path

from vidcls.errors import CheckpointError, first_line
from vidcls.model_file import OF_THIS_FILE
from vidcls.packed_file import ENSEMBLE_NAME, MEMBERS_FOLDER
from vidcls.predict.ensemble_predictor import EnsemblePredictor
from vidcls.predict.open_model import Device
from vidcls.runtime.predictor import Predictor
from vidcls.settings_file import parse_json
from vidcls.tasks.ensemble import Ensemble

MOST_BYTES = 2**20
"""Of the file that says how the members answer together."""


def open_exported_ensemble(
    path: str | PathLike[str], *, device: Device = "auto", num_threads: int | None = None
) -> EnsemblePredictor:
    """What scores videos with all members.

    Args:
        path: the file.
        device: where the networks run.
        num_threads: threads that compute each network on a CPU; None takes all.

    Raises:
        CheckpointError: the file is missing or damaged, or was not written by ``vidcls export``.
        ConfigurationError, FlowError, MissingExtraError: as of :class:`vidcls.runtime.Predictor`.
    """
    file = Path(path)
    try:
        with zipfile.ZipFile(file) as archive, tempfile.TemporaryDirectory(prefix="vidcls-") as folder:
            facts = archive.getinfo(ENSEMBLE_NAME)
            if facts.file_size > MOST_BYTES:
                raise ValueError(f"{ENSEMBLE_NAME} has {facts.file_size} bytes")
            ensemble = Ensemble.from_dict(parse_json(archive.read(facts)))
            members: list[Predictor] = []
            for number, name in enumerate(ensemble.names):
                inside = archive.getinfo(f"{MEMBERS_FOLDER}/{name}.onnx")
                if inside.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(f"{inside.filename} is compressed")
                graph = Path(folder) / f"{number}.onnx"  # no name of the file is a place on this machine
                graph.write_bytes(archive.read(inside))
                members.append(Predictor(graph, num_threads, device=device))
                if set(members[-1].class_names) != set(ensemble.class_names):
                    raise ValueError(f"{name} has other classes")
    except FileNotFoundError as error:
        raise CheckpointError(f"{file}: no such file; check the path") from error
    except (zipfile.BadZipFile, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{file}: is no ensemble of vidcls export ({first_line(error)}): {OF_THIS_FILE}"
        ) from error
    return EnsemblePredictor(file, ensemble, members)
