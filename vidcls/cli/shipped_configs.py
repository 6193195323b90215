"""The configurations that come with the package, by name: ``--config two_stream`` works anywhere."""

from __future__ import annotations

from pathlib import Path

import vidcls
from vidcls.errors import ConfigurationError
from vidcls.spelling import closest, did_you_mean
from vidcls.video_files import LIST_SUFFIXES

FOLDER_OF_OPTION = {"--config": ".", "-c": ".", "--data": "data", "--trainer": "trainer"}
"""The options that name YAML files, with the folder of the shipped ones."""


def configs_folder() -> Path:
    """Where the shipped configurations lie: in the package, or beside it in a clone."""
    package = Path(vidcls.__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def shipped_names(option: str = "--config") -> str:
    """The shipped configurations for an option, for a message."""
    return ", ".join(_names(option))


def config_named(name: str) -> str | None:
    """The configuration for ``--config`` that a word is the name or the file of, or most likely meant as one."""
    names = [*_names("--config"), *(f"paper/{path.stem}" for path in (configs_folder() / "paper").glob("*.yaml"))]
    if name in names or (name.endswith(".yaml") and Path(name).is_file()):
        return name
    return closest(name.removesuffix(".yaml"), names)


def _names(option: str) -> list[str]:
    return sorted(path.stem for path in (configs_folder() / FOLDER_OF_OPTION[option]).glob("*.yaml"))


def config_path(value: str, option: str) -> str:
    """The file that a value of such an option means.

    Raises:
        ConfigurationError: neither a file nor a shipped configuration.
    """
    if option == "--data" and Path(value).suffix.lower() in LIST_SUFFIXES:
        raise ConfigurationError(
            f"{option} {value}: expected a configuration of the data: for a list of videos: --data video_csv "
            f"--data.dataset.path {value}"
        )
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
    hint = did_you_mean(value, _names(option))
    if option == "--data" and Path(value).is_dir():
        hint = f"for a folder of videos: --data video_folder --data.dataset.root {value}"
    raise ConfigurationError(
        f"{option} {value}: no such file, and no shipped configuration of that name (there are: "
        f"{shipped_names(option)}){'; ' if hint else ''}{hint}"
    )
