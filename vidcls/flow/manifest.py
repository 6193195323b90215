"""``manifest.json`` at the root of a flow store: how all its fields were made, and how many there are."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from importlib import metadata

from vidcls.errors import FlowError
from vidcls.flow.saturation import Saturation
from vidcls.flow.settings import FlowSettings, Plain
from vidcls.remote.places import Place
from vidcls.remote.whole_files import read_json, write_text

MANIFEST_NAME = "manifest.json"
FORMAT = "vidcls flow store"
FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """The facts that hold for every file of a store.

    Args:
        settings: those of the flow.
        parameters: the method's constants.
        weights_digest: what identifies a network's weights, where the method has any.
        versions: of the packages that wrote it, for information.
        num_videos: files at the end of the last complete run of the precomputation; 0 before.
        num_fields: fields in them.
        num_bytes: their size.
        saturation: how many of their values the bound cut, over the files that say so; None where none does, as in
            stores of version 0.1.
    """

    settings: FlowSettings
    parameters: dict[str, Plain]
    weights_digest: str | None
    versions: dict[str, str] = field(default_factory=dict)
    num_videos: int = 0
    num_fields: int = 0
    num_bytes: int = 0
    saturation: Saturation | None = None

    @classmethod
    def read(cls, root: Place) -> Manifest:
        """The manifest of the store at root.

        Raises:
            FlowError: there is none, or it is damaged, or of another version of the format.
        """
        path = root / MANIFEST_NAME
        try:
            plain = read_json(path)
        except (OSError, ValueError) as error:
            raise FlowError(f"{root} is not a flow store: {path} cannot be read ({error}); check the path") from error
        if not isinstance(plain, dict) or plain.pop("format", None) != FORMAT:
            raise FlowError(f"{path} is not the manifest of a flow store: expected format {FORMAT!r}; check the path")
        if (version := plain.pop("format_version", None)) != FORMAT_VERSION:
            raise FlowError(
                f"{path} has format version {version}, this program reads {FORMAT_VERSION}: run "
                "scripts/precompute_flow.py with a new --output"
            )
        try:
            saturation = Saturation.from_plain(plain.get("saturation"))
            return cls(**(plain | {"settings": FlowSettings.from_dict(plain["settings"]), "saturation": saturation}))
        except (KeyError, TypeError, ValueError) as error:
            raise FlowError(
                f"{path} is damaged: {error}; run scripts/precompute_flow.py with a new --output"
            ) from error

    def write(self, root: Place) -> None:
        """Write the file, complete or not at all."""
        plain = {"format": FORMAT, "format_version": FORMAT_VERSION} | asdict(self)
        write_text(root / MANIFEST_NAME, json.dumps(plain, indent=2))


def installed_versions() -> dict[str, str]:
    """The versions of the packages whose arithmetic is in the fields."""
    names = ("vidcls", "torch", "torchvision", "opencv-python", "opencv-contrib-python", "decord2", "numpy")
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # only one of the two OpenCVs is there, and vidcls may run from its sources
    return versions
