"""``--model.help CLASS`` and ``.help`` behind other options -> what a class is and takes, from its source."""

from __future__ import annotations

import re
import textwrap
from shutil import get_terminal_size

from vidcls.cli.chosen_dataset import CONFIG_OF, DATASET, dataset_of_words
from vidcls.cli.linked import LINKED
from vidcls.cli.option_names import (
    DATASETS,
    MODEL_BASE,
    MODELS,
    OWNERS,
    unknown_class,
    unknown_option,
)
from vidcls.cli.places import model_of
from vidcls.cli.signatures import Argument, classes_of, described, docstring_in, exported, located
from vidcls.cli.words import Words
from vidcls.errors import ConfigurationError
from vidcls.spelling import did_you_mean, same_name

CALLBACKS = ("lightning.pytorch.callbacks", "vidcls.callbacks")  # ours last: they count
SEE = {
    "backbone": "vidcls backbones lists them",
    "spatial": "vidcls backbones lists them",
    "temporal": "vidcls backbones lists them",
}
WIDEST = 100
END = ".help"


def help_asked(words: Words) -> tuple[str, str | None] | None:
    """The option whose ``.help`` is asked for, without its dashes, and the class behind it; None where none is."""
    for word in words:
        if word.option.startswith("--") and word.option.endswith(END):
            return word.option[2 : -len(END)].replace(".init_args", ""), word.value
    return None


def class_help(key: str, name: str | None, words: Words) -> str:
    """What stands behind an option: the classes that may, one of them, or one argument.

    Args:
        key: the option, such as ``model``, ``data.dataset`` or ``model.backbone``.
        name: a class of ours by its name, or another as ``module.Class``; None lists them.
        words: of the command, which may name the model and the data set.

    Raises:
        ConfigurationError: there is no such option or class.
    """
    homes = _classes(key)
    if homes:
        if name is None:
            return _listed(key, homes)
        known = name if name in homes else same_name(name, homes)
        found = _named(name) if known is None else (homes[known], known)
        if found is None:
            raise ConfigurationError(unknown_class(key, name))
        return _described(key, *found)
    if key in OWNERS:
        return _described(key, *OWNERS[key])
    return _of_argument(key, words)


def _classes(key: str) -> dict[str, str]:
    """The classes that may stand behind an option, with their modules; empty where none may."""
    if key == "model":
        return {name: exported(MODELS)[name] for name in classes_of(MODELS, MODEL_BASE)}
    if key == DATASET[0].lstrip("-"):
        return {name: exported(DATASETS)[name] for name in CONFIG_OF}
    if key == "trainer.callbacks":
        return {name: exported(package)[name] for package in CALLBACKS for name in classes_of(package)}
    return {}


def _named(name: str) -> tuple[str, str] | None:
    """Where a class lies that is named as ``module.Class``."""
    module, _, class_name = name.rpartition(".")
    return located(module, class_name) if module else None


def _of_argument(key: str, words: Words) -> str:
    """One argument of the model, the data, the data set or the trainer; settings with all that they hold."""
    if key.startswith(f"{DATASET[0].lstrip('-')}."):
        base, rest = DATASET[0].lstrip("-"), key.split(".")[2:]
        named = dataset_of_words(words)
        owners = [(exported(DATASETS)[name], name) for name in CONFIG_OF if named in ("", name)]
    else:
        base, *rest = key.split(".")
        owners = [OWNERS[base]] if base in OWNERS else []
        if base == "model":
            named = model_of(words) or _configured(words)
            names = classes_of(MODELS, MODEL_BASE)
            owners = [(exported(MODELS)[name], name) for name in names if named not in names or named == name]
    for owner in owners:
        found = _argument(owner, rest)
        if found is not None:
            place, argument = found
            settings = _settings_in(argument)
            if settings is not None:
                return _described(key, *settings)
            see = f"  ({SEE[argument.name]})" if argument.name in SEE else ""
            prefix = ".".join([base, *rest[:-1]])
            return "\n".join([f"--{prefix}.{argument.name} of {place[1]}{see}", "", *_lines(argument, prefix)])
    if not owners or base in OWNERS:
        raise ConfigurationError(unknown_option(f"--{key}"))
    known = {argument.name for owner in owners for argument in described(*owner)}
    hint = did_you_mean(rest[0], known, otherwise=f"--{base}.help CLASS lists what a class takes")
    raise ConfigurationError(f"--{key}: unknown option; {hint}")


def _argument(owner: tuple[str, str], names: list[str]) -> tuple[tuple[str, str], Argument] | None:
    """An argument of a class, or of the settings that an argument holds, with the class that takes it."""
    by_name = {argument.name: argument for argument in described(*owner)}
    argument = by_name.get(names[0]) if names else None
    if argument is None or len(names) == 1:
        return None if argument is None else (owner, argument)
    settings = _settings_in(argument)
    return None if settings is None else _argument(settings, names[1:])


def _settings_in(argument: Argument) -> tuple[str, str] | None:
    """The class of settings that an argument is; None where it is something else."""
    names = re.findall(r"\b[A-Z]\w*Settings\b", argument.kind)
    return next((found for name in names if (found := located(argument.module, name)) is not None), None)


def _configured(words: Words) -> str:
    model = words.in_files("model")
    path = model.get("class_path") if isinstance(model, dict) else model
    return path.rpartition(".")[2] if isinstance(path, str) else ""


def _listed(key: str, homes: dict[str, str]) -> str:
    width = max(len(name) for name in homes)
    lines = [f"--{key} takes one of these, or a class of your own as module.Class:", ""]
    for name, module in homes.items():
        text = first_sentence(docstring_in(module, name))
        lines += textwrap.wrap(
            f"{name:{width}}  {text}", _width(), initial_indent="  ", subsequent_indent=" " * (width + 4)
        )
    example = next(iter(homes))
    return "\n".join([*lines, "", f"--{key}.help {example} says what one takes"])


def _described(key: str, module: str, class_name: str) -> str:
    """The docstring of a class up to its arguments, and these as options."""
    text = (docstring_in(module, class_name) or "").partition("\nArgs:\n")[0].strip()
    paragraphs = [line for part in text.split("\n\n") if part.strip(": \n") for line in ("", *_paragraph(part))]
    lines = [f"{module}.{class_name}", *paragraphs, ""]
    for argument in described(module, class_name):
        if f"{key}.{argument.name}" not in LINKED:
            lines += _lines(argument, key)
    return "\n".join(lines).rstrip()


def _lines(argument: Argument, key: str) -> list[str]:
    kind = argument.kind.replace(" | None", "") or "value"
    must = " (must be given)" if argument.default is None else ""
    default = "" if argument.default in (None, "None", "") else f" (default {argument.default})"
    lines = textwrap.wrap(
        f"--{key}.{argument.name}  {kind}{must or default}",
        _width(),
        subsequent_indent="      ",
        break_on_hyphens=False,
    )
    return [*lines, *textwrap.wrap(_unmarked(argument.text), _width(), initial_indent="    ", subsequent_indent="    ")]


def _paragraph(text: str) -> list[str]:
    """A paragraph of a docstring, wrapped unless it is a drawing or an example."""
    is_prose = not any(line.startswith((" ", "-", ">>>", "|")) for line in text.splitlines())
    return textwrap.wrap(_unmarked(text), _width()) if is_prose else text.splitlines()


def _unmarked(text: str) -> str:
    """Text of a docstring without the marks of its markup."""
    return re.sub(r":\w+:`~?([^`]*)`", r"\1", text).replace("``", "").replace("`", "")


def first_sentence(text: str | None) -> str:
    """The first sentence of a docstring, on one line."""
    paragraph = " ".join((text or "").partition("\n\n")[0].split())
    return re.split(r"(?<=\.)\s|;", _unmarked(paragraph))[0].rstrip(".")


def _width() -> int:
    return min(WIDEST, get_terminal_size((80, 24)).columns)
