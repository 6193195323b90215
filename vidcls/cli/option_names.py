"""The options of fit, validate and test -> those that do not exist, before anything is imported that takes seconds."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from vidcls.cli.chosen_dataset import CONFIG_OF, DATASET, dataset_of_words
from vidcls.cli.engine import ENGINE, RAY_OPTIONS
from vidcls.cli.linked import LINKED
from vidcls.cli.places import model_of
from vidcls.cli.shipped_configs import config_named, shipped_names
from vidcls.cli.signatures import arguments_in, classes_of, described, exported
from vidcls.cli.words import Words
from vidcls.errors import ConfigurationError, DatasetError, listed
from vidcls.remote import check_allowed, is_address
from vidcls.spelling import closest, did_you_mean
from vidcls.video_files import LIST_SUFFIXES

MODELS, MODEL_BASE = "vidcls.models", "VideoClassifier"
DATASETS, DATASET_BASE = "vidcls.datasets", "VideoDataset"
OWNERS = {
    "data": ("vidcls.loading.datamodule", "VideoDataModule"),
    "trainer": ("lightning.pytorch.trainer.trainer", "Trainer"),
}
# Arguments of the models that are groups of settings themselves.
SETTINGS = {
    "optimization": ("vidcls.training.optimization", "OptimizationSettings"),
    "loss": ("vidcls.training.losses", "LossSettings"),
    "transfer": ("vidcls.training.transfer", "TransferSettings"),
    "layers": ("vidcls.layers.settings", "LayerSettings"),
    "choice": ("vidcls.probe.settings", "ProbeSettings"),
}
TOP_LEVEL = (
    "config",
    "model",
    "data",
    "trainer",
    "name",
    "run",
    "ckpt_path",
    "monitor",
    "save_every_n_steps",
    "features",
    "copy_run",
    "seed_everything",
    *(option.lstrip("-") for option in (ENGINE, *RAY_OPTIONS)),
)
# What other tools call an option, without the section that it is in.
USUAL = {
    "epochs": "trainer.max_epochs",
    "num_epochs": "trainer.max_epochs",
    "steps": "trainer.max_steps",
    "lr": "model.optimization.lr",
    "learning_rate": "model.optimization.lr",
    "weight_decay": "model.optimization.weight_decay",
    "optimizer": "model.optimization.optimizer",
    "backbone": "model.backbone",
    "weights": "model.weights",
    "workers": "data.num_workers",
    "seed": "seed_everything",
    "gpus": "trainer.devices",
    "device": "trainer.accelerator",
    "root": "data.dataset.root",
    "resume": "ckpt_path",
    "checkpoint": "ckpt_path",
}
# The data sets that write their own videos; the others need a folder or a list that exists.
WRITES_VIDEOS = ("MovingShapes",)
_ALSO = ("help", "print_config", "run_dir")
_OF_CLASS = ("class_path", "init_args", "dict_kwargs", "help")


def refuse_strays(words: Words) -> None:
    """Refuse a word that belongs to no option.

    Raises:
        ConfigurationError: names the first, and what it was most likely meant for.
    """
    for word in words:
        if not word.option:
            raise ConfigurationError(unknown_option(word.value or "", dataset=dataset_of_words(words)))


def check_options(words: Words) -> None:
    """Refuse what neither the command, nor the model, the data or the trainer takes.

    Only first names are looked at, such as ``batch_size`` in ``--data.batch_size``; the parser checks what they hold.

    Raises:
        ConfigurationError: names the first option, and the one that was most likely meant.
    """
    for word in words:
        _check(word.option)
    for file in words.contents("--config", "-c"):
        for key in file:
            _check(f"--{key}")
    for section in OWNERS:
        for _, found in words.sections(section):
            for key in found:
                _check(f"--{section}.{key}")
    model = model_of(words) or _class_in(words.in_files("model"))
    _check_class(words, "model", model, exported(MODELS), LINKED)
    check_dataset_options(words)


def check_dataset_options(words: Words) -> None:
    """Refuse a data set that does not exist, and arguments that it does not take.

    Raises:
        ConfigurationError: names the first.
    """
    _check_class(words, DATASET[0].lstrip("-"), dataset_of_words(words), exported(DATASETS))


def check_videos(words: Words) -> None:
    """Refuse a folder or list of videos that was typed and does not exist, as its data set would in the end.

    Raises:
        DatasetError: names it.
        ConfigurationError: an address that may not be read.
    """
    dataset = dataset_of_words(words)
    if dataset not in CONFIG_OF or dataset in WRITES_VIDEOS:
        return
    root, path = (words.last(f"--data.dataset.{name}", f"--data.dataset.init_args.{name}") for name in ("root", "path"))
    for address in (root, path):
        if address is not None and is_address(address):
            check_allowed(address)
    if root is not None and not is_address(root) and not (folder := Path(root).expanduser()).exists():
        raise DatasetError(f"expected a folder, but {folder.absolute()} does not exist; check the path")
    if path is not None and not is_address(path) and not Path(path).exists():
        raise DatasetError(f"no csv file at {path}: expected a file with the columns path,label; check the path")


def unknown_option(option: str, *, dataset: str = "") -> str:
    """What is said of an option that does not exist.

    Args:
        option: it, or a word that belongs to no option.
        dataset: the class of the data set that counts, without its module; empty where none is named.
    """
    prefix, _, name = option.lstrip("-").partition("=")[0].partition(".")
    usual = USUAL.get(name or prefix) if option.startswith("-") else None
    if usual is not None and (not name or usual.startswith(f"{prefix}.")):
        close: str | None = usual
    elif prefix in OWNERS and name:
        names = [found for found in arguments_in(*OWNERS[prefix]) or () if f"{prefix}.{found}" not in LINKED]
        close = closest(name.partition(".")[0], names)
        close = f"{prefix}.{close}" if close else None
    elif not option.startswith("-"):
        hint = _stray(option, dataset) or "vidcls COMMAND --help lists them"
        return f"{option}: unknown option, or a value without one; {hint}"
    else:
        close = f"model.{prefix}" if prefix in SETTINGS else closest(prefix, TOP_LEVEL) or _in_section(prefix)
    if close:
        return f"{option}: unknown option; did you mean --{close}?"
    return f"{option}: unknown option; vidcls COMMAND --help lists them"


def unknown_class(key: str, name: str) -> str:
    """What is said of a class that does not exist, behind an option such as ``model``."""
    if key.startswith("trainer.") and name.lower() in shipped_names("--trainer").split(", "):
        return f"{key}: there is no class {name!r}: did you mean --trainer {name.lower()}?"
    ours = _ours(key)
    hint = did_you_mean(name.rpartition(".")[2], ours, otherwise=f"there are {listed(ours)}" if ours else "")
    return (
        f"{key}: there is no class {name!r}: {f'{hint} else ' if hint.endswith('?') else f'{hint}; ' if hint else ''}"
        "pass one of ours by its name, or your own as module.Class"
    )


def _in_section(name: str) -> str | None:
    """The option that a name is without its section, such as ``data.batch_size`` for ``batch_size``."""
    return next(
        (f"{section}.{name}" for section, owner in OWNERS.items() if name in (arguments_in(*owner) or ())), None
    )


def _stray(value: str, dataset: str) -> str | None:
    """The options that a word without one was most likely meant for."""
    if Path(value).is_dir() and dataset == "VideoFolder":
        return f"for a folder of videos: --data.dataset.root {value}"
    if Path(value).is_dir():
        return f"for a folder of videos: --data video_folder --data.dataset.root {value}"
    if Path(value).suffix.lower() in LIST_SUFFIXES:
        return f"for a list of videos: --data video_csv --data.dataset.path {value}"
    config = config_named(value)
    return f"did you mean --config {config}?" if config else None


def _ours(key: str) -> tuple[str, ...]:
    """Our classes that may stand behind an option."""
    if key == "model":
        return classes_of(MODELS, MODEL_BASE)
    if key == DATASET[0].lstrip("-"):
        return tuple(CONFIG_OF)
    if key.startswith("trainer.callbacks"):
        return (*classes_of("vidcls.callbacks"), *_LIGHTNING_CALLBACKS)
    return ()


_LIGHTNING_CALLBACKS = ("EarlyStopping", "LearningRateMonitor", "ModelCheckpoint", "StochasticWeightAveraging", "Timer")


def _check(option: str) -> None:
    if not option.startswith("--") or option in ("--c", "--h"):
        return
    first, _, rest = option.lstrip("-").rstrip("+").partition(".")
    if first not in (*TOP_LEVEL, *_ALSO):
        raise ConfigurationError(unknown_option(option))
    name = rest.partition(".")[0]
    owner = OWNERS.get(first)
    known = arguments_in(*owner) if owner is not None else None
    if name and known is not None and name not in known and name != "help":
        raise ConfigurationError(unknown_option(option))


def _check_class(words: Words, key: str, name: str, homes: dict[str, str], linked: Iterable[str] = ()) -> None:
    """Refuse arguments that a class of ours does not take, and a short name that is no class of ours."""
    typed = words.last(f"--{key}", f"--{key}.class_path") or ""
    if typed.isidentifier() and typed not in homes and "torch" not in sys.modules:  # so that no program has its own
        raise ConfigurationError(unknown_class(key, typed))
    known = arguments_in(homes[name], name) if name in homes else None
    if known is None or (typed and "." in typed and not typed.startswith("vidcls.")):
        return
    names = [each for each in known if f"{key}.{each}" not in linked]
    for word in words:
        if not word.option.startswith(f"--{key}."):
            continue
        inner = word.option.removeprefix(f"--{key}.").removeprefix("init_args.").rstrip("+")
        first = inner.partition(".")[0]
        if first not in (*known, *_OF_CLASS):
            inside = next((group for group in names if first in _settings_in(group)), None)
            hint = f"did you mean --{key}.{inside}.{first}?" if inside else ""
            hint = hint or did_you_mean(first, names, otherwise=f"{name} takes {', '.join(names)}")
            raise ConfigurationError(f"{key}.{inner}: unknown option; {hint}")


def _settings_in(argument: str) -> Iterable[str]:
    """What a group of settings of a model holds, such as ``lr`` in ``optimization``."""
    place = SETTINGS.get(argument)
    return [argument.name for argument in described(*place)] if place is not None else ()


def _class_in(model: object) -> str:
    """The class that a section of a configuration names, without its module; empty where it names none."""
    found = model.get("class_path") if isinstance(model, dict) else model
    return found.rpartition(".")[2] if isinstance(found, str) else ""
