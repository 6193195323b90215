"""The arguments and files of a command -> which run folder and which checkpoint they mean."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from vidcls.cli.chosen_dataset import with_one_dataset
from vidcls.cli.configs import configs_folder
from vidcls.cli.links import refuse_linked
from vidcls.cli.request import Request, written_at_ns
from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.models.build import import_model_class
from vidcls.models.checkpoint import CheckpointFacts, read_checkpoint
from vidcls.runs.folder import CONFIG_FILE, DEFAULT_ROOT, check_name, find_checkpoint, run_of
from vidcls.settings_file import read_settings


def read_request(command: str, arguments: Sequence[str]) -> Request:
    """Find the run and the checkpoint that the arguments mean.

    Raises:
        CheckpointError: the checkpoint is missing or cannot be used.
        ConfigurationError: the arguments contradict each other.
    """
    given, others = _options().parse_known_args(list(arguments))
    configs = [Path(path) for path in given.config]
    contents = [read_settings(path) for path in configs]
    data_files: list[dict[str, object]] = [{"data": read_settings(Path(path))} for path in given.data]
    refuse_linked(others, [*contents, *data_files])
    trainer_files: list[dict[str, object]] = [
        {"trainer": read_settings(Path(path))} for path in given.trainer if Path(path).is_file()
    ]
    name = given.name if given.name is not None else _last(content.get("name") for content in contents)
    if name is None and configs:
        name = configs[0].stem
    if name is not None:
        check_name(name)
    root = Path(given.default_root_dir or _root_in([*contents, *trainer_files]) or DEFAULT_ROOT)
    run = Path(given.run) if given.run else None
    wanted = given.ckpt_path or _last(content.get("ckpt_path") for content in contents)
    if wanted is None and command != "fit" and run is not None:
        wanted = "best"
    if run is not None and wanted is not None and not run.is_dir():
        raise CheckpointError(f"--run {run}: no such folder")

    facts = existing = written_at = None
    before: list[str] = []
    if wanted is not None:
        checkpoint = find_checkpoint(wanted, root=root, name=name, run=run)
        written_at = written_at_ns(checkpoint)
        facts = read_checkpoint(checkpoint)
        import_model_class(facts)
        existing = run_of(facts.path) or run
        if run is not None and existing is not None and existing.resolve() != run.resolve():
            raise CheckpointError(f"{facts.path}: belongs to the run {existing}, not to --run {run}: leave --run out")
        before = ["--config", json.dumps(_as_config(facts))]
        if existing is not None and not configs:
            before += ["--config", str(existing / CONFIG_FILE)]
    if facts is None and not any("model" in content for content in contents) and not _model_name(others):
        shipped = ", ".join(sorted(path.stem for path in configs_folder().glob("*.yaml")))
        if command != "fit":
            raise ConfigurationError(f"{command} needs a checkpoint: pass --ckpt_path best|last|FILE, or --run DIR")
        raise ConfigurationError(f"no model given: add --config FILE (shipped: {shipped}), or --model NAME")
    if name is None:
        name = existing.parent.name if existing is not None else _model_name(others) or "run"
    passed_on = _without(arguments, ("--ckpt_path", "--run", "--name", "--trainer.default_root_dir"))
    return Request(
        command=command,
        arguments=[*with_one_dataset([*before, *passed_on]), "--name", name],
        root=root,
        name=name,
        existing=existing,
        wanted=run if facts is None else None,
        facts=facts,
        facts_written_at=written_at,
    )


class _FirstParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(message)


def _options() -> argparse.ArgumentParser:
    parser = _FirstParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", "-c", action="append", default=[])
    for section in ("data", "trainer"):
        parser.add_argument(f"--{section}", action="append", default=[])
    for option in ("name", "run", "ckpt_path"):
        parser.add_argument(f"--{option}")
    parser.add_argument("--trainer.default_root_dir", dest="default_root_dir")
    return parser


def _root_in(contents: Sequence[dict[str, object]]) -> str | None:
    roots = [trainer.get("default_root_dir") for c in contents if isinstance(trainer := c.get("trainer"), dict)]
    return _last(roots)


def _last(values: object) -> str | None:
    """The last value that is there: later files win."""
    found = [value for value in values if value is not None]  # type: ignore[attr-defined]
    return str(found[-1]) if found else None


def _model_name(arguments: Sequence[str]) -> str:
    """The name of the class behind ``--model``; nothing where that option is not there."""
    for k, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option in ("--model", "--model.class_path"):
            path = value if equals else (arguments[k + 1] if k + 1 < len(arguments) else "")
            return path.rpartition(".")[2]
    return ""


def _without(arguments: Sequence[str], options: Sequence[str]) -> list[str]:
    kept: list[str] = []
    skip_value = False
    for argument in arguments:
        if skip_value:
            skip_value = False
        elif argument in options:
            skip_value = True
        elif argument.partition("=")[0] not in options:
            kept.append(argument)
    return kept


def _as_config(facts: CheckpointFacts) -> dict[str, object]:
    """What a checkpoint says, as a configuration; whatever is given comes after it and is held against it."""
    config: dict[str, object] = {"model": {"class_path": facts.class_path, "init_args": facts.model_arguments}}
    if facts.input_settings is not None:
        data = dict(facts.input_settings)
        data.pop("streams")
        config["data"] = data
    return config
