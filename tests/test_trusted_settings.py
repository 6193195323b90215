"""What a settings file may have made or called: classes of known kinds, and nothing else that can be imported."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from jsonargparse import ArgumentError, ArgumentParser, Namespace
from lightning.pytorch import Callback

from vidcls.cli.own_classes import trust
from vidcls.clips import InputSettings
from vidcls.errors import ConfigurationError
from vidcls.flow import FlowSettings
from vidcls.trusted_classes import HOMES, PACKAGES, is_trusted
from vidcls.trusted_settings import KINDS, check_settings, made_from

# Modules of the trusted packages, whose functions start programs, fetch, load or write.
DANGEROUS = (
    "torch.utils.collect_env",
    "torch.utils.cpp_extension",
    "torch.utils.model_zoo",
    "torch.hub",
    "torch.serialization",
    "torch.package",
    "torch.jit",
    "torch.distributed.launcher.api",
    "torch.distributed.run",
    "torch.multiprocessing",
    "torchvision.datasets.utils",
    "lightning.pytorch.cli",
    "lightning.fabric.utilities.cloud_io",
    "vidcls.files",
    "vidcls.flow.precompute",
    "vidcls.datasets.written_folder",
)
STARTING = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "socket.connect", "urllib.Request")


@pytest.fixture(scope="module")
def started() -> Iterator[list[str]]:
    """The processes that Python starts and the addresses that it asks while the tests of this file run."""
    events: list[str] = []
    is_watching = [True]  # a hook cannot be taken away again

    def watch(event: str, _: object) -> None:
        if is_watching[0] and event in STARTING:
            events.append(event)

    sys.addaudithook(watch)
    yield events
    is_watching[0] = False


@pytest.fixture(scope="module")
def parser() -> ArgumentParser:
    """A parser of callbacks; one of them calls what it is given."""
    trust([])
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--callbacks", type=list[Callback])
    return parser


def made(parser: ArgumentParser, path: str, **arguments: object) -> Namespace:
    """A callback that calls what ``path`` leads to."""
    called = {"class_path": path, "init_args": arguments} if arguments else path
    settings = {
        "class_path": "lightning.pytorch.callbacks.LambdaCallback",
        "init_args": {"on_fit_start": called},
    }
    return made_from(parser, parser.parse_object({"callbacks": [settings]}))


def public_functions(module: str) -> list[str]:
    found = importlib.import_module(module)
    return [f"{module}.{name}" for name, value in vars(found).items() if name[0] != "_" and inspect.isroutine(value)]


@pytest.mark.parametrize("module", DANGEROUS)
def test_no_function_of_a_module_that_starts_or_fetches_something_can_be_named(
    parser: ArgumentParser, started: list[str], module: str
) -> None:
    paths = public_functions(module)
    assert paths
    before = list(started)
    for path in paths:
        with pytest.raises((ArgumentError, ConfigurationError), match=r"not allowed|is a function|is not a class"):
            made(parser, path)
    assert started == before


def test_the_watch_would_see_a_program_start(started: list[str]) -> None:
    from torch.utils.collect_env import run

    run("true")
    assert "subprocess.Popen" in started
    started.clear()


def test_nothing_that_is_imported_can_be_called_but_classes_of_known_kinds() -> None:
    """Every name in every module of the trusted packages that this process has imported."""
    trust([])
    for module in ("vidcls.callbacks", "vidcls.models", *DANGEROUS):
        importlib.import_module(module)
    num_seen, accepted = 0, []
    for module_name, module in sorted(sys.modules.items()):
        if module_name.partition(".")[0] not in PACKAGES or module is None:
            continue
        for name, value in list(vars(module).items()):
            if not is_trusted(module_name) or not (inspect.isroutine(value) or isinstance(value, type | partial)):
                continue
            num_seen += 1
            try:
                check_settings({"class_path": f"{module_name}.{name}"} if isinstance(value, type) else value)
            except ConfigurationError:
                continue
            accepted.append(value)
    assert num_seen > 3000
    assert all(isinstance(value, type) for value in accepted)
    homes = {f"{value.__module__}.{value.__qualname__}" for value in accepted}
    assert [home for home in homes if not is_trusted(home)] == []
    assert {"torch.nn.modules.linear.Linear", "vidcls.callbacks.wandb_run.WandbRun"} <= homes


def test_every_kind_exists() -> None:
    """A renamed base class would leave its kind out without a word."""
    for kind in KINDS:
        module, _, name = kind.rpartition(".")
        assert inspect.isclass(getattr(importlib.import_module(module), name)), kind


def test_every_home_of_a_library_exists() -> None:
    for home in HOMES:
        if home.startswith(("pytorch_lightning", "lightning_fabric")):
            continue  # the same library by its other name
        module, _, name = home.rpartition(".")
        if not hasattr(importlib.import_module(module), name):
            importlib.import_module(home)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.nn.functional.relu, "torch.nn.functional.relu is a function"),
        (partial(torch.nn.functional.relu, inplace=True), "torch.nn.functional.relu is a function"),
        (torch.nn.Linear(2, 2), "torch.nn.modules.linear.Linear is a function"),
        (torch.zeros(2), "torch.Tensor is no plain value"),
        (sys, "builtins.module is no plain value"),
        (print, "builtins.print is a function"),
        ([{"deep": {"class_path": "torch.hub.load"}}], "torch.hub.load is not a class"),
        (Namespace(class_path="torch.nn.init.zeros_", init_args=Namespace()), "torch.nn.init.zeros_ is not a class"),
        (Namespace(class_path="subprocess.Popen"), "subprocess.Popen is nothing that"),
        (Namespace(class_path="torch.hub.HTTPError"), "urllib.error.HTTPError is nothing that"),
        ({"class_path": "torch.nn.Missing"}, "there is no class 'torch.nn.Missing'"),
        ({"class_path": "vidcls.datasets.base.ABC"}, "abc.ABC is nothing that"),
        ({"class_path": "torch.nn.Parameter"}, "torch.nn.Parameter is of no kind"),
        ("s3://bucket/runs", "is an address, which no setting fetches"),
        ("simplecache::http://host/x", "is an address"),
        ({"save_dir": ["memory://x"]}, "key.save_dir: 'memory://x' is an address"),
    ],
)
def test_what_is_neither_plain_nor_of_a_known_kind_is_refused(value: object, words: str) -> None:
    trust([])
    with pytest.raises(ConfigurationError) as refused:
        check_settings({"key": value})
    assert words in str(refused.value)
    assert str(refused.value).startswith("key")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1.5,
        "text: with colons::",
        "C:/folder",
        Path("runs"),
        torch.bfloat16,
        [{"a": (1, "b")}],
        torch.nn.Linear,
        {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.1}},
        {"class_path": "torch.optim.lr_scheduler.StepLR"},
        {"class_path": "torchmetrics.Accuracy"},
        {"class_path": "torchvision.transforms.v2.Resize"},
        {"class_path": "lightning.pytorch.callbacks.EarlyStopping"},
        {"class_path": "lightning.pytorch.strategies.DDPStrategy"},
        {"class_path": "lightning.pytorch.plugins.environments.SLURMEnvironment"},
        {"class_path": "lightning.pytorch.loggers.CSVLogger"},
        {"class_path": "vidcls.datasets.VideoFolder"},
        {"class_path": "vidcls.types.ClipSettings"},
    ],
)
def test_plain_values_and_classes_of_known_kinds_are_taken(value: object) -> None:
    trust([])
    check_settings({"key": value})


def test_what_the_user_allows_may_be_called_and_takes_what_it_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser: ArgumentParser
) -> None:
    (tmp_path / "own_settings.py").write_text(
        "import torch\n\ndef look(*_): ...\n\nclass Own:\n"
        "    def __init__(self, act=torch.nn.functional.relu, where=''): self.where = where\n"
        "    def __call__(self, *_): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ArgumentError, match=r"own_settings\.look' is not allowed"):
        made(parser, "own_settings.look")
    trust(["--allow-class", "own_settings"])
    try:
        assert made(parser, "own_settings.look").callbacks
        callback = made(parser, "own_settings.Own", where="http://localhost/").callbacks[0]
        assert isinstance(callback, Callback)
        with pytest.raises((ArgumentError, ConfigurationError)):
            made(parser, "torch.utils.collect_env.run")
    finally:
        trust([])


def test_a_logger_that_sends_to_any_server_needs_the_option(parser: ArgumentParser) -> None:
    with pytest.raises(ConfigurationError, match=r"whatever server .* add --allow-class lightning\.pytorch\.loggers$"):
        check_settings({"logger": {"class_path": "lightning.pytorch.loggers.MLFlowLogger"}})
    trust(["--allow-class", "lightning.pytorch.loggers"])
    try:
        check_settings({"logger": {"class_path": "lightning.pytorch.loggers.MLFlowLogger"}})
    finally:
        trust([])


def test_what_a_trusted_class_takes_by_default_is_no_setting_of_a_stranger() -> None:
    for callback in ("BackboneFinetuning", "StochasticWeightAveraging"):
        class_path = f"lightning.pytorch.callbacks.{callback}"
        found = getattr(importlib.import_module("lightning.pytorch.callbacks"), callback)
        defaults = {name: item.default for name, item in inspect.signature(found).parameters.items()}
        given = {name: value for name, value in defaults.items() if value is not inspect.Parameter.empty}
        check_settings(Namespace(class_path=class_path, init_args=Namespace(given)))
        for name, value in given.items():
            if callable(value) or isinstance(value, torch.device):
                with pytest.raises(ConfigurationError, match=rf"^{name}: torch.hub.load is a function"):
                    check_settings(
                        Namespace(class_path=class_path, init_args=Namespace({**given, name: torch.hub.load}))
                    )


def test_settings_of_a_class_that_the_package_offers_by_a_short_name_are_read_back(parser: ArgumentParser) -> None:
    settings = InputSettings(("flow",), flow_settings=FlowSettings(method="tvl1"))
    assert InputSettings.from_dict(settings.to_dict()) == settings
