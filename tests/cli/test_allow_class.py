"""Which classes a file may name: those of the trusted libraries, and of packages that the user has allowed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

Command = Callable[..., object]
PLANTED = '''
from pathlib import Path

from lightning.pytorch import Callback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.strategies import Strategy

from vidcls.datasets import VideoFolder
from vidcls.models import SingleFrame

Path({mark!r}).touch()


class Net(SingleFrame):
    """As its parent."""


class Data(VideoFolder):
    """As its parent."""


class Back(Callback):
    """Does nothing."""


def run(*_: object) -> None:
    Path({mark!r}).touch()
'''


@pytest.fixture
def planted(tmp_path: Path) -> str:
    """A package of a stranger in the current folder; it makes the file ``ran`` when it is imported."""
    name = f"planted_{tmp_path.name.replace('-', '_')}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text(PLANTED.format(mark=str(tmp_path / "ran")))
    return name


def edited(tiny: Path, file: Path, change: Callable[[dict[str, object]], object]) -> Path:
    """The configuration with something else in it."""
    content = yaml.safe_load(tiny.read_text())
    change(content)
    file.write_text(yaml.safe_dump(content))
    return file


# Where a configuration can name a class, and as what: X stands for the package.
PLACES: dict[str, Callable[[dict[str, object], str], object]] = {
    "model": lambda c, x: c.update(model=f"{x}.Net"),
    "model with arguments": lambda c, x: c.update(model={"class_path": f"{x}.Net"}),
    "model as text": lambda c, x: c.update(model=json.dumps({"class_path": f"{x}.Net"})),
    "backbone": lambda c, x: c["model"]["init_args"].update(spatial=f"{x}.Net"),
    "backbone with arguments": lambda c, x: c["model"]["init_args"].update(temporal=f"{x}.Net(width=3)"),
    "data set": lambda c, x: c["data"].update(dataset={"class_path": f"{x}.Data", "init_args": {"root": "."}}),
    "data set by name": lambda c, x: c["data"].update(dataset=f"{x}.Data"),
    "callback": lambda c, x: c["trainer"].update(callbacks=[{"class_path": f"{x}.Back"}]),
    "callback by name": lambda c, x: c["trainer"].update(callbacks=f"{x}.Back"),
    "logger": lambda c, x: c["trainer"].update(logger={"class_path": f"{x}.Logger"}),
    "strategy": lambda c, x: c["trainer"].update(strategy={"class_path": f"{x}.Strategy"}),
    "plugin": lambda c, x: c["trainer"].update(plugins=[{"class_path": f"{x}.Back"}]),
    "profiler": lambda c, x: c["trainer"].update(profiler={"class_path": f"{x}.Back"}),
    "nested": lambda c, x: c["trainer"].update(
        logger={
            "class_path": "lightning.pytorch.loggers.CSVLogger",
            "init_args": {"save_dir": {"class_path": f"{x}.Net"}},
        }
    ),
    "called back": lambda c, x: c["trainer"].update(
        callbacks=[
            {"class_path": "lightning.pytorch.callbacks.LambdaCallback", "init_args": {"on_fit_start": f"{x}.run"}}
        ]
    ),
    "within a trusted package": lambda c, x: c.update(model=f"vidcls.{x}.Net"),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_configuration_that_names_a_strangers_class_is_refused_and_nothing_of_it_runs(
    vidcls: Command, tiny: Path, tmp_path: Path, planted: str, place: str
) -> None:
    file = edited(tiny, tmp_path / "theirs.yaml", lambda content: PLACES[place](content, planted))
    vidcls("fit", "--config", file).refusal()
    assert not (tmp_path / "ran").exists()
    assert planted not in sys.modules


@pytest.mark.parametrize("place", ["model", "data set", "callback"])
def test_the_refusal_says_what_to_add_and_with_it_the_training_runs(
    vidcls: Command, tiny: Path, tmp_path: Path, planted: str, clip_folder: Path, place: str
) -> None:
    def change(content: dict[str, object]) -> None:
        PLACES[place](content, planted)
        if place == "data set":
            content["data"]["dataset"]["init_args"]["root"] = str(clip_folder)  # type: ignore[index]

    file = edited(tiny, tmp_path / "mine.yaml", change)
    line = vidcls("fit", "--config", file).refusal()
    assert f"{planted}." in line
    assert line.endswith(f"where you trust it, add --allow-class {planted}")
    words = ("fit", "--config", file, "--allow-class", planted, "--run", "mine", "--trainer.max_epochs", "1")
    assert vidcls(*words).status == 0
    assert (tmp_path / "ran").exists()
    again = ("test", "--run", "mine", "--trainer.enable_progress_bar", "false")
    assert f"add --allow-class {planted}" in vidcls(*again).refusal()
    assert vidcls(*again, f"--allow-class={planted}").status == 0


@pytest.mark.parametrize(
    "path",
    [
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "builtins.exec",
        "pickle.loads",
        "torch.hub.load",
        "lightning.pytorch.serve.ServableModuleValidator",
        "torch.load",
        "torch.serialization.load",
        "torch.utils.collect_env.run",
        "torch.nn.init.torch.hub.load",
        "torch.os.system",
        "lightning.pytorch.cli.LightningCLI",
        "lightning.pytorch.trainer.trainer.os.system",
        "vidcls.cli.main",
        "vidcls.compare.run.subprocess.Popen",
        "jsonargparse.set_parsing_settings",
        "functools.partial",
    ],
)
@pytest.mark.parametrize("place", ["model", "data set", "callback", "called back"])
def test_what_runs_something_is_refused_wherever_it_stands(
    vidcls: Command, tiny: Path, tmp_path: Path, path: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[object] = []
    for target in ("torch.utils.collect_env.run", "os.system", "torch.hub.load", "torch.load", "subprocess.Popen"):
        monkeypatch.setattr(target, lambda *words, **_: called.append(words))

    def change(content: dict[str, object]) -> None:
        PLACES[place](content, "X")
        text = json.dumps(content)
        for name in ("X.Net", "X.Data", "X.Back", "X.run"):
            text = text.replace(name, path)
        content.clear()
        content.update(json.loads(text))

    line = vidcls("fit", "--config", edited(tiny, tmp_path / "theirs.yaml", change)).refusal()
    assert "vidcls: error: " in line
    assert called == []


def test_a_function_of_ones_own_is_called_where_the_package_is_allowed(
    vidcls: Command, tiny: Path, tmp_path: Path, planted: str
) -> None:
    file = edited(tiny, tmp_path / "mine.yaml", lambda content: PLACES["called back"](content, planted))
    assert f"add --allow-class {planted}" in vidcls("fit", "--config", file).refusal()
    outcome = vidcls("fit", "--config", file, "--allow-class", planted, "--trainer.max_epochs", "1")
    assert outcome.status == 0, outcome


@pytest.mark.parametrize("address", ["memory://runs", "http://localhost:9/runs", "simplecache::memory://runs"])
def test_nothing_is_written_to_an_address_that_a_file_names(
    vidcls: Command, tiny: Path, tmp_path: Path, address: str
) -> None:
    def change(content: dict[str, object]) -> None:
        logger = {"class_path": "lightning.pytorch.loggers.CSVLogger", "init_args": {"save_dir": address}}
        content["trainer"].update(logger=logger)  # type: ignore[attr-defined]

    line = vidcls("fit", "--config", edited(tiny, tmp_path / "theirs.yaml", change)).refusal()
    said = f"trainer.logger.save_dir: {address!r} is an address, which no setting fetches: pass a local path"
    assert line == f"vidcls: error: {said}"


def test_whole_words_of_a_name_count(vidcls: Command, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "torchevil.py").write_text(PLANTED.format(mark=str(tmp_path / "ran")))
    file = edited(tiny, tmp_path / "theirs.yaml", lambda content: content.update(model="torchevil.Net"))
    assert "torchevil.Net belongs to none of" in vidcls("fit", "--config", file).refusal()
    assert "torchevil.Net belongs to none of" in vidcls("fit", "--config", file, "--allow-class", "torche").refusal()
    assert not (tmp_path / "ran").exists()


def test_files_of_one_section_are_held_to_the_same(vidcls: Command, tiny: Path, tmp_path: Path, planted: str) -> None:
    (tmp_path / "data.yaml").write_text(f"dataset: {planted}.Data\n")
    (tmp_path / "trainer.yaml").write_text(f"callbacks: [{planted}.Back]\n")
    (tmp_path / "model.yaml").write_text(f"class_path: {planted}.Net\n")
    for option in ("--data", "--trainer", "--model"):
        words = ("fit", "--config", tiny, option, tmp_path / f"{option[2:]}.yaml")
        assert f"add --allow-class {planted}" in vidcls(*words).refusal()
    (tmp_path / "all.yaml").write_text(f"model: {tmp_path / 'model.yaml'}\n")  # a file that names a file
    assert f"add --allow-class {planted}" in vidcls("fit", "--config", tiny, "--config", "all.yaml").refusal()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("command", ["flow", "data browse", "data prepare", "summary", "compare", "report", "features"])
def test_every_command_that_reads_a_configuration_holds_it_to_the_same(
    vidcls: Command, tiny: Path, run: Path, tmp_path: Path, planted: str, command: str
) -> None:
    file = edited(tiny, tmp_path / "theirs.yaml", lambda content: PLACES["data set by name"](content, planted))
    model = edited(tiny, tmp_path / "model.yaml", lambda content: PLACES["model"](content, planted))
    if command == "report":
        assert vidcls("test", "--run", run).status == 0
    edited(tiny, run / "config.yaml", lambda content: PLACES["data set by name"](content, planted))
    if command == "report":
        outcome = vidcls("report", run)  # the page needs no data set
        assert outcome.status == 0
        assert f"add --allow-class {planted}: the page has no heat maps" in outcome.err
    else:
        words: dict[str, tuple[object, ...]] = {
            "flow": ("flow", "--config", file, "--output", "flow"),
            "data browse": ("data", "browse", file),
            "data prepare": ("data", "prepare", file, "small"),
            "summary": ("summary", model),
            "compare": ("compare", "--config", model, "--output", "compared", "--max_epochs", "1"),
            "features": ("features", run, "--device", "cpu"),
        }
        assert f"add --allow-class {planted}" in vidcls(*words[command]).refusal()
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "command", ["fit", "test", "validate", "predict", "explain", "features", "summary", "compare", "report"]
)
def test_a_checkpoint_that_names_a_strangers_class_is_refused_by_every_command(
    vidcls: Command, tiny: Path, run: Path, tmp_path: Path, planted: str, clip_folder: Path, command: str
) -> None:
    if command in ("report", "compare"):
        assert vidcls("test", "--run", run).status == 0
    checkpoint = run / "checkpoints" / "best.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    content["vidcls"]["class_path"] = f"{planted}.Net"
    torch.save(content, checkpoint)
    video = clip_folder / "test" / "left" / "0.avi"
    words: dict[str, tuple[object, ...]] = {
        **{name: (name, "--config", tiny, "--ckpt_path", checkpoint) for name in ("fit", "test", "validate")},
        "predict": ("predict", checkpoint, video),
        "explain": ("explain", checkpoint, video),
        "features": ("features", run),
        "summary": ("summary", checkpoint),
        "compare": ("compare", "--runs", run.parent),
        "report": ("report", run),
    }
    outcome = vidcls(*words[command])
    if command == "compare":  # the accuracies are there, the costs are not
        assert outcome.status == 1
        assert f"add --allow-class {planted}" in outcome.out
    elif command == "report":
        assert outcome.status == 0
        assert f"add --allow-class {planted}: the page has no heat maps" in outcome.err
    else:
        assert f"add --allow-class {planted}" in outcome.refusal()
    assert not (tmp_path / "ran").exists()


def test_with_the_option_a_checkpoint_of_ones_own_is_read_in_a_process_of_its_own(
    vidcls: Command, tiny: Path, run: Path, tmp_path: Path, planted: str
) -> None:
    """In this process the class may have been imported before."""
    checkpoint = run / "checkpoints" / "best.ckpt"
    (tmp_path / planted / "__init__.py").write_text(
        "from vidcls.models import TwoStream\n\nclass Net(TwoStream):\n    'As its parent.'\n"
    )
    content = torch.load(checkpoint, weights_only=True)
    content["vidcls"]["class_path"] = f"{planted}.Net"
    torch.save(content, checkpoint)
    program = [sys.executable, "-P", "-c", "from vidcls.cli import entry; entry()", "summary", str(checkpoint)]
    without = subprocess.run(program, capture_output=True, text=True, check=False)
    assert (without.returncode, f"add --allow-class {planted}" in without.stderr) == (2, True)
    done = subprocess.run([*program, "--allow-class", planted], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Net of ")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "--allow-class: expected a package"),
        ("my package", "--allow-class 'my package': expected a package"),
        ("*", "--allow-class '*': expected a package"),
        ("os", "--allow-class os: is part of Python or of the parser"),
        ("builtins.eval", "--allow-class builtins.eval: is part of Python or of the parser"),
        ("jsonargparse", "--allow-class jsonargparse: is part of Python or of the parser"),
    ],
)
def test_what_cannot_be_allowed_is_said(vidcls: Command, tiny: Path, value: str, words: str) -> None:
    assert words in vidcls("fit", "--config", tiny, "--allow-class", value).refusal()


def test_a_module_in_the_current_folder_hides_none_that_is_installed(tmp_path: Path) -> None:
    """And where nothing is allowed, the folder is no place for modules at all."""
    for name in ("torch", "jsonargparse", "yaml", "timm_not_installed"):
        (tmp_path / f"{name}.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\n")
    code = (
        "import sys, vidcls.cli as cli\n"
        "def look(words):\n"
        "    import torch, jsonargparse, yaml\n"
        "    try:\n"
        "        import timm_not_installed\n"
        "    except ImportError:\n"
        "        print('not there', end=' ')\n"
        "    print(torch.__version__)\n"
        "    return 0\n"
        "cli.COMMANDS['doctor'] = look\n"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    program = [sys.executable, "-P", "-c", code, "doctor"]
    done = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout == f"not there {torch.__version__}\n", done.stderr
    assert not (tmp_path / "ran").exists()
    done = subprocess.run(
        [*program, "--allow-class", "mypackage"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stdout == f"{torch.__version__}\n", done.stderr


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.mkdir ['ran']", "!!python/name:os.system ''"])
@pytest.mark.parametrize("option", ["--config", "--data", "--trainer", "--model"])
def test_a_tag_of_yaml_makes_no_object(vidcls: Command, tiny: Path, tmp_path: Path, tag: str, option: str) -> None:
    (tmp_path / "theirs.yaml").write_text(f"name: {tag}\n")
    vidcls("fit", "--config", tiny, option, "theirs.yaml").refusal()
    assert not (tmp_path / "ran").exists()


def test_a_value_reads_no_environment(
    vidcls: Command, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "mytokenvalue")
    for text in ("${oc.env:MY_TOKEN}", "${MY_TOKEN}", "$MY_TOKEN"):
        file = edited(
            tiny, tmp_path / "theirs.yaml", lambda content, text=text: content["trainer"].update(precision=text)
        )
        outcome = vidcls("fit", "--config", file)
        assert "mytokenvalue" not in outcome.err + outcome.out
        outcome.refusal()


@pytest.mark.parametrize("address", ["memory://model.yaml", "http://localhost:9/model.yaml", "file:///model.yaml"])
def test_a_value_reads_no_address(tiny: Path, tmp_path: Path, address: str) -> None:
    """In a process of its own: the libraries' own settings count when they are first imported."""
    file = edited(tiny, tmp_path / "theirs.yaml", lambda content: content.update(model=address))
    code = (
        "import sys, fsspec\n"
        "opened = fsspec.open\n"
        "fsspec.open = lambda *words, **more: print('ASKED') or opened(*words, **more)\n"
        "from vidcls.cli import entry; entry()"
    )
    program = [sys.executable, "-P", "-c", code, "fit", "--config", str(file)]
    done = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert address in done.stderr
    assert done.stderr.count("\n") == 1
