"""What a command was asked for: which checkpoint, and the folder that it works in, locked while it writes there."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from vidcls.cli.chosen_dataset import with_one_dataset
from vidcls.cli.places import PLACES, Places, model_of, places_of
from vidcls.cli.words import CONFIG, Words
from vidcls.errors import CheckpointError, ConfigurationError
from vidcls.folder_lock import LOCK_FILES, FolderLock
from vidcls.launched import RUN_OF_PARENT, is_first_process, is_launched
from vidcls.models.build import import_model_class
from vidcls.models.checkpoint import CheckpointFacts, read_checkpoint
from vidcls.remote import place_of
from vidcls.remote.addresses import is_web
from vidcls.remote.whole_files import is_file
from vidcls.runs.folder import (
    CONFIG_FILE,
    FIRST_FILES,
    LAST,
    PROBE_FIGURE,
    PROBE_FILE,
    checkpoint_name,
    make_folder,
    new_run,
)
from vidcls.runs.trained_model import run_of

if TYPE_CHECKING:
    from vidcls.callbacks import RunCopied

WRITTEN_BY_A_RUN = b"# lightning.pytorch=="  # the first line of its configuration


@dataclass
class Request:
    """What was asked for.

    Args:
        command: ``fit``, ``validate`` or ``test``.
        words: the words for the parser, what the checkpoint says before what was given.
        root: the folder of all runs.
        name: the name of the run.
        existing: the folder of a run that this command goes on in; None makes a new one.
        wanted: the folder that was asked for with ``--run``, for a new run.
        facts: the checkpoint to start from.
        facts_written_at: date of its file when it was read, in nanoseconds.
        cluster: where a probe computes features, as arguments of RayCluster; from the command line alone, as a
            configuration that named an address could send a command anywhere.
    """

    command: str
    words: Words
    root: Path
    name: str
    existing: Path | None = None
    wanted: Path | None = None
    facts: CheckpointFacts | None = None
    facts_written_at: int | None = None
    cluster: dict[str, object] | None = None
    _folder: Path | None = field(default=None, repr=False)
    _lock: FolderLock | None = field(default=None, repr=False)
    _copied: RunCopied | None = field(default=None, repr=False)
    _is_told: bool = field(default=False, repr=False)  # whether the processes that this one starts know the folder

    @property
    def goes_on(self) -> bool:
        """Whether the command works in the folder of an earlier training."""
        return self.existing is not None

    def folder(self) -> Path:
        """The run folder, locked until `release` is called; a new one is made when first asked for.

        Raises:
            FolderInUseError: another process is writing to it.
            ConfigurationError: it cannot be made, or is not empty.
        """
        if self._folder is None:
            self._folder = self._new_folder() if self.existing is None else self._existing_folder(self.existing)
        return self._folder

    def release(self) -> None:
        """Let other commands write to the run folder."""
        if self._lock is not None:
            self._lock.release()
        if self._is_told:  # what this process starts later belongs to another training
            os.environ.pop(RUN_OF_PARENT, None)
            self._is_told = False

    def copied_to(self, place: str) -> RunCopied:
        """What copies the run there while the command works, and when it has ended.

        Raises:
            ConfigurationError: nothing can be written there, or another run lies there.
        """
        from vidcls.callbacks import RunCopied

        there = place_of(place)
        if is_web(str(there)):
            raise ConfigurationError(f"--copy_run {there}: nothing can be written to a web server: pass a bucket")
        if not self.goes_on and is_first_process() and is_file(there / checkpoint_name(LAST)):
            raise ConfigurationError(
                f"--copy_run {there}: has the copy of a run: go on in it with --ckpt_path last, or name a new place"
            )
        self._copied = RunCopied(self.folder(), there)
        return self._copied

    def finish(self) -> None:
        """Copy what the command has left, where the run is copied."""
        if self._copied is not None:
            self._copied.finish()

    def drop_folder(self, *, with_files: bool) -> None:
        """Remove the folder of a new run in which nothing was written, and those above it that this leaves empty.

        Args:
            with_files: also where the configuration and the log are in it, but neither a checkpoint nor anything else.
        """
        folder = self._folder
        if self.existing is not None or folder is None or not folder.is_dir() or is_launched():
            return
        if with_files and {path.name for path in folder.iterdir()} <= {*FIRST_FILES, *LOCK_FILES}:
            for name in FIRST_FILES:
                (folder / name).unlink(missing_ok=True)
        self.release()
        with suppress(OSError):  # not empty, or another process was here first
            for level in (folder, folder.parent, folder.parent.parent):
                if level != Path.cwd():
                    level.rmdir()

    def _refuse_files_in(self, folder: Path) -> None:
        found = {path.name for path in folder.iterdir()} - LOCK_FILES
        if found and not _was_killed_before_training(folder, found):
            self.release()
            raise ConfigurationError(
                f"--run {folder}: is not empty: go on in it with --ckpt_path last, or name a new folder"
            )

    def _existing_folder(self, folder: Path) -> Path:
        """The folder of an earlier training, which a validation only reads."""
        if self.command != "validate":
            self._claim(folder)
        if self.facts is not None and _written_at_ns(self.facts.path) != self.facts_written_at:
            self.release()
            raise CheckpointError(f"{self.facts.path}: another process has just written it: run the command again")
        return folder

    def _claim(self, folder: Path) -> None:
        """Lock the folder, for all processes of this training: its first one does it, unless what started it has."""
        if is_launched() and Path(os.environ.get(RUN_OF_PARENT, os.devnull)).absolute() == folder.absolute():
            return
        if is_first_process():
            lock = FolderLock(folder)
            lock.acquire()
            self._lock = lock

    def _new_folder(self) -> Path:
        if is_launched():  # all processes must mean the same folder
            told = os.environ.get(RUN_OF_PARENT)
            if told is not None and (self.wanted is None or self.wanted.absolute() == Path(told).absolute()):
                return Path(told)
            if self.wanted is None:
                raise ConfigurationError(
                    "started by a launcher or on several nodes: pass --run_dir DIR, the folder of this run"
                )
            make_folder(self.wanted)
            self._claim(self.wanted)
            if is_first_process():  # the others may come when it has written already
                self._refuse_files_in(self.wanted)
            return self.wanted
        if self.wanted is not None:
            make_folder(self.wanted)
            self._claim(self.wanted)  # before its files are looked at: another training may be writing them
            self._refuse_files_in(self.wanted)
            folder = self.wanted
        else:
            folder = new_run(self.root, self.name)
            self._claim(folder)
        os.environ[RUN_OF_PARENT] = str(folder)
        self._is_told = True
        return folder


def _was_killed_before_training(folder: Path, found: set[str]) -> bool:
    """Whether a run wrote its configuration and no more, as where a probe ends while it computes features."""
    if not {CONFIG_FILE} <= found <= {CONFIG_FILE, PROBE_FILE, PROBE_FIGURE}:
        return False
    with (folder / CONFIG_FILE).open("rb") as file:
        return file.readline().startswith(WRITTEN_BY_A_RUN)


def read_request(command: str, words: Words, places: Places | None = None) -> Request:
    """Find the run and the checkpoint that the words mean.

    Args:
        command: ``fit``, ``validate`` or ``test``.
        words: behind it.
        places: what the words say of folders, where they were asked already.

    Raises:
        CheckpointError: the checkpoint is missing or cannot be used.
        ConfigurationError: the words contradict each other.
    """
    places = places or places_of(command, words)
    root, name, run = places.root, places.name, places.run
    facts = existing = written_at = None
    before: list[str] = []
    if (checkpoint := places.checkpoint) is not None:
        written_at = _written_at_ns(checkpoint)
        facts = read_checkpoint(checkpoint)
        import_model_class(facts)
        existing = run_of(facts.path) or run
        if run is not None and existing is not None and existing.resolve() != run.resolve():
            raise CheckpointError(f"{facts.path}: belongs to the run {existing}, not to --run {run}: leave --run out")
        before = ["--config", json.dumps(_as_config(facts))]
        if existing is not None and not words.values(*CONFIG):
            before += ["--config", str(existing / CONFIG_FILE)]
    if name is None:
        name = existing.parent.name if existing is not None else model_of(words) or "run"
    passed_on = words.without(*PLACES)
    return Request(
        command=command,
        words=with_one_dataset(Words([*Words(before), *passed_on, *Words(["--name", name])])),
        root=root,
        name=name,
        existing=existing,
        wanted=run if facts is None else None,
        facts=facts,
        facts_written_at=written_at,
    )


def _as_config(facts: CheckpointFacts) -> dict[str, object]:
    """What a checkpoint says, as a configuration; whatever is given comes after it and is held against it."""
    config: dict[str, object] = {"model": {"class_path": facts.class_path, "init_args": facts.model_arguments}}
    if facts.input_settings is not None:
        data = dict(facts.input_settings)
        data.pop("streams")
        config["data"] = data
    return config


def _written_at_ns(path: Path) -> int | None:
    """The date of a file in nanoseconds; None where there is none."""
    return path.stat().st_mtime_ns if path.is_file() else None
