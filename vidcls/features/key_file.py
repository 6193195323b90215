"""``features.json`` in the folder of a key: what its digest stands for, for people and for a check."""

from __future__ import annotations

import json
from importlib import metadata

from vidcls.errors import FeatureError
from vidcls.features.key import FORMAT, FeatureKey
from vidcls.remote.places import Place
from vidcls.remote.whole_files import read_json, write_text

KEY_FILE = "features.json"
_PACKAGES = ("vidcls", "torch", "torchvision", "decord2", "av", "safetensors")


def write_key_file(folder: Place, key: FeatureKey) -> None:
    """Write it, complete or not at all, with the versions of packages for information."""
    versions = {name: version for name in _PACKAGES if (version := _version(name)) is not None}
    content = {"digest": key.digest, **key.to_dict(), "versions": versions}
    write_text(folder / KEY_FILE, json.dumps(content, indent=2) + "\n")


def read_key_file(folder: Place) -> tuple[str, dict[str, object]]:
    """The digest and the facts in it.

    Raises:
        FeatureError: it is missing, damaged, or of something else.
    """
    path = folder / KEY_FILE
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise FeatureError(f"{path} cannot be read ({error}): remove the folder, or name another one") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise FeatureError(f"{path} is not of a folder of features: expected format {FORMAT!r}; name another folder")
    content.pop("versions", None)
    return str(content.pop("digest", None)), content


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
