"""``hf/NAME_OR_FOLDER`` -> the files of a model of the Hugging Face Hub.

A folder is read as it is. A name is looked up in the Hub's cache on this machine, and downloaded where it is not there.
Only files of known names are read: JSON, and safetensors, which hold tensors and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidcls.errors import CheckpointError, ConfigurationError, MissingExtraError, first_line
from vidcls.settings_file import read_json
from vidcls.spelling import did_you_mean

PREFIX = "hf/"
EXTRA = "transformers"
CONFIG_FILE = "config.json"
WEIGHTS_FILE, WEIGHTS_INDEX = "model.safetensors", "model.safetensors.index.json"
MAX_JSON_BYTES = 2**24


def weights_files(name: str) -> list[Path]:
    """The safetensors of a model, one or several.

    Raises:
        CheckpointError: there are none; or only pickles, which could run code.
    """
    found = file_of(name, WEIGHTS_FILE, WEIGHTS_INDEX)
    if found is not None and found.name == WEIGHTS_FILE:
        return [found]
    if found is not None:
        names = sorted({str(each) for each in dict(read_object(found).get("weight_map", {})).values()})
        if not names or any(Path(each).name != each or not each.endswith(".safetensors") for each in names):
            raise CheckpointError(f"{found}: expected names of .safetensors files beside it")
        files = [file_of(name, each) for each in names]
        if any(file is None for file in files):
            raise CheckpointError(f"{found}: not all of its {len(names)} files of weights are there")
        return [file for file in files if file is not None]
    folder = folder_of(name)
    if folder is not None and any(folder.glob("*.bin")):
        raise CheckpointError(
            f"{folder}: has its weights as a pickle (.bin), which could run code: save it as safetensors "
            "(save_pretrained of transformers does)"
        )
    raise CheckpointError(f"backbone {name}: has no {WEIGHTS_FILE}, expected weights as save_pretrained writes them")


def folder_of(name: str) -> Path | None:
    """The folder that is named; None for a name on the Hub.

    Raises:
        ConfigurationError: a path that leads nowhere.
    """
    place = name.removeprefix(PREFIX)
    path = Path(place).expanduser()
    if path.is_dir():
        return path
    if not place or place.startswith((".", "~")) or path.is_absolute() or place.count("/") > 1 or path.exists():
        raise ConfigurationError(
            f"backbone {name}: no such folder: expected {PREFIX} and a folder with a {CONFIG_FILE}, or a name on the "
            f"Hub such as {PREFIX}facebook/dinov2-small{_near(path)}"
        )
    return None


def file_of(name: str, *file_names: str) -> Path | None:
    """The first of these files that a model has; None where it has none of them.

    Raises:
        CheckpointError: none is on this machine, and they could not be downloaded.
    """
    folder = folder_of(name)
    if folder is not None:
        return next((folder / each for each in file_names if (folder / each).is_file()), None)
    place = name.removeprefix(PREFIX)
    try:
        from huggingface_hub import hf_hub_download, try_to_load_from_cache
        from huggingface_hub.errors import EntryNotFoundError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtraError(f"{PREFIX} models need transformers: pip install 'vidcls[{EXTRA}]'") from error
    try:
        for cached in (try_to_load_from_cache(place, each) for each in file_names):
            if isinstance(cached, str):
                return Path(cached)
        for each in file_names:
            try:
                with _quiet():
                    return Path(hf_hub_download(place, each))
            except LocalEntryNotFoundError:  # before the next, which it is a kind of: nobody could be asked
                raise
            except EntryNotFoundError:
                continue
    except HFValidationError as error:
        raise ConfigurationError(f"backbone {name}: is no name on the Hub and no folder") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"backbone {name}: {' or '.join(file_names)} is not in the Hub's cache and could not be downloaded "
            f"({first_line(error)}): fetch the model on a machine with a network and pass its folder, {PREFIX}FOLDER"
            f"{_near(Path(place))}"
        ) from error
    return None


def read_object(path: Path) -> dict[str, Any]:
    """The names and values in a JSON file.

    Raises:
        ConfigurationError: it cannot be read, or holds something else.
    """
    try:
        content = read_json(path, max_bytes=MAX_JSON_BYTES)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: cannot be read as JSON: {first_line(error)}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: expected names with values")
    return content


def _near(path: Path) -> str:
    """A folder beside it that holds a model and is called alike, as the end of a message."""
    try:
        names = [each.name for each in path.parent.iterdir() if (each / CONFIG_FILE).is_file()]
    except OSError:  # no such folder, or one that may not be looked into
        names = []
    hint = did_you_mean(path.name, names, otherwise="")
    return f"; {hint}" if hint else ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Each of several attempts to reach the Hub would be a line."""
    log = logging.getLogger("huggingface_hub")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)
