"""Names of shipped configurations -> files: ``--config two_stream`` works anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import vidcls
from vidcls.errors import ConfigurationError

FOLDER_OF_OPTION = {"--config": ".", "-c": ".", "--data": "data", "--trainer": "trainer"}


def configs_folder() -> Path:
    """Where the shipped configurations lie: in the package, or beside it in a clone."""
    package = Path(vidcls.__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def with_config_paths(arguments: Sequence[str]) -> list[str]:
    """The arguments with every shipped configuration that is given by name replaced by its path.

    Raises:
        ConfigurationError: neither a file nor a shipped configuration.
    """
    resolved: list[str] = []
    option: str | None = None
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if option is not None:
            resolved.append(_path(argument, option))
            option = None
        elif name in FOLDER_OF_OPTION and equals:
            resolved.append(f"{name}={_path(value, name)}")
        else:
            resolved.append(argument)
            option = argument if argument in FOLDER_OF_OPTION else None
    return resolved


def _path(value: str, option: str) -> str:
    if Path(value).is_file():
        return value
    shipped = configs_folder() / FOLDER_OF_OPTION[option]
    candidate = shipped / (value if value.endswith(".yaml") else f"{value}.yaml")
    if candidate.is_file():
        return str(candidate)
    # 'configs/two_stream.yaml' is how the documentation of a clone writes it: it works elsewhere too.
    written_as_in_a_clone = configs_folder().parent / value
    if value.startswith("configs/") and written_as_in_a_clone.is_file():
        return str(written_as_in_a_clone)
    names = ", ".join(sorted(path.stem for path in shipped.glob("*.yaml")))
    raise ConfigurationError(
        f"{option} {value}: no such file, and no shipped configuration of that name (there are: {names})"
    )
