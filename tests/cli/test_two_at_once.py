"""Two commands that write to one folder at once: the second is refused in one line, the first notices nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vidcls.cli.request import read_request
from vidcls.cli.words import Words
from vidcls.errors import CheckpointError
from vidcls.folder_lock import FolderLock

Command = Callable[..., object]

# While a training runs, other commands are given in its folder; what became of them is written down.
MEANWHILE = """
import json
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from lightning.pytorch import Callback
from vidcls.cli import main

class Meanwhile(Callback):
    def __init__(self, commands: str) -> None:
        self.commands = commands

    def on_train_batch_end(self, trainer, module, outputs, batch, number):
        if trainer.global_step != 5:
            return
        said = []
        for words in json.loads(self.commands):
            err = StringIO()
            with redirect_stderr(err):
                status = main(words)
            said.append([status, err.getvalue()])
        Path("said.json").write_text(json.dumps(said))
"""


@pytest.fixture
def meanwhile(tmp_path: Path) -> Callable[..., list[str]]:
    """Options by which a training gives other commands at its fifth step, and then goes on."""
    (tmp_path / "meanwhile.py").write_text(MEANWHILE)

    def options(*commands: list[str]) -> list[str]:
        given = json.dumps(json.dumps(commands))
        return [
            "--trainer.callbacks+",
            f'{{"class_path": "meanwhile.Meanwhile", "init_args": {{"commands": {given}}}}}',
        ]

    return options


def test_what_would_write_to_the_folder_of_a_training_is_refused_and_the_training_ends_as_ever(
    vidcls: Command, tiny: Path, trained: Path, meanwhile: Callable[..., list[str]], tmp_path: Path
) -> None:
    commands = [
        ["fit", "--run", "mine", "--ckpt_path", "last", "--trainer.callbacks", "null", "--allow-class", "meanwhile"],
        ["fit", "--config", str(tiny), "--run", "mine"],
        ["test", "--run", "mine", "--ckpt_path", "last", "--trainer.callbacks", "null", "--allow-class", "meanwhile"],
    ]
    words = ["fit", "--config", tiny, "--run", "mine", *meanwhile(*commands)]
    assert vidcls(*words).status == 0
    for status, said in json.loads((tmp_path / "said.json").read_text()):
        assert status == 2
        (line,) = said.splitlines()
        assert line.startswith("vidcls: error: ")
        assert "mine: process " in line
        assert "is writing to it" in line
    names = {path.name for path in (tmp_path / "mine").iterdir()}
    assert names == {path.name for path in trained.iterdir()}
    ours, theirs = (
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (tmp_path / "mine", trained)
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_validation_reads_while_another_command_writes(vidcls: Command, run: Path) -> None:
    with FolderLock(run):
        assert vidcls("validate", "--run", run).status == 0


def test_a_refused_training_leaves_what_the_other_has_written_so_far(
    vidcls: Command, tiny: Path, tmp_path: Path
) -> None:
    with FolderLock(tmp_path / "mine"):
        (tmp_path / "mine" / "config.yaml").write_text("of the other")
        assert "is writing to it" in vidcls("fit", "--config", tiny, "--run", "mine").refusal()
        assert (tmp_path / "mine" / "config.yaml").read_text() == "of the other"


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("flow", ["flow", "--folder", "CLIPS", "--output", "flow", "--num_workers", "1"]),
        ("copy", ["data", "prepare", "CLIPS", "copy", "--num_workers", "1"]),
        ("compared", ["compare", "--config", "single_frame", "--output", "compared"]),
        ("RUN/features", ["features", "RUN"]),
        ("page_data", ["report", "RUN", "--output", "page.html"]),
    ],
)
def test_other_commands_are_refused_alike(
    vidcls: Command, clip_folder: Path, run: Path, tmp_path: Path, folder: str, words: list[str]
) -> None:
    for name in ("test.csv", "test.json"):  # of a tested run; the report is refused before it looks at more
        (run / name).write_text(
            "path,label,group,prediction,p_a\nx,a,,a,1\n" if name == "test.csv" else '{"class_names": ["a"]}'
        )
    with FolderLock(tmp_path / folder.replace("RUN", str(run))):
        given = [word.replace("CLIPS", str(clip_folder)).replace("RUN", str(run)) for word in words]
        assert "is writing to it" in vidcls(*given).refusal()


def test_a_training_is_locked_by_its_first_process_alone(
    vidcls: Command, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Path
) -> None:
    shutil.copytree(trained, tmp_path / "mine")
    words = ["--run", "mine", "--ckpt_path", "last"]
    first = read_request("fit", Words(words))
    assert first.folder() == tmp_path / "mine"
    for name, value in (("LOCAL_RANK", "1"), ("RANK", "3"), ("NODE_RANK", "1"), ("SLURM_PROCID", "1")):
        with monkeypatch.context() as patch:
            patch.setenv("SLURM_NTASKS", "2")
            patch.setenv(name, value)
            assert read_request("fit", Words(words)).folder() == tmp_path / "mine"
    first.release()
    assert not list((tmp_path / "mine").glob(".lock*"))


def test_a_checkpoint_that_another_process_writes_between_reading_and_locking_is_not_gone_on_from(
    vidcls: Command, trained: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained, tmp_path / "mine"))
    request = read_request("fit", Words(["--run", "mine", "--ckpt_path", "last"]))
    shutil.copy(run / "checkpoints" / "best.ckpt", run / "checkpoints" / "last.ckpt")
    with pytest.raises(CheckpointError, match="another process has just written it"):
        request.folder()
    FolderLock(run).acquire()
