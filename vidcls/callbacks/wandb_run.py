"""A training -> one run in Weights & Biases: online with an account, kept in the run folder without."""

from __future__ import annotations

import os
import re
import secrets
import shlex
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import rank_zero_experiment
from lightning.pytorch.utilities import rank_zero_info, rank_zero_only, rank_zero_warn

from vidcls.errors import ConfigurationError, VidclsError, first_line
from vidcls.training.code_state import remote_holds_secret

if TYPE_CHECKING:
    from wandb import Run

_SECRET_NAME = re.compile(r"(^|_)(api_?key|password|passwd|secret|token)$", re.IGNORECASE)
MODES = ("online", "offline", "disabled", "shared", "dryrun", "run")
_LEFT_OUT = "(left out)"


class WandbRun(WandbLogger):
    """Logs a training as one run, from process 0 alone.

    ``WANDB_MODE`` decides where it is set. Else the run goes online where Weights & Biases finds an account
    (``wandb login`` or ``WANDB_API_KEY``), and lies in the run folder where it finds none. Each pass of the trainer
    finishes it; a later pass or process of the same training goes on under the same id, which offline makes another
    folder: the command that is printed last uploads them all.

    Args:
        project: project that the run belongs to.
        name: name of the run on the page; by default W&B invents one.
        entity: user or team that the run belongs to; default: the account's own.
        group: runs of one group are shown together, such as the folds of one data set.
        tags: words to find the run by.

    Raises:
        ConfigurationError: ``WANDB_MODE=online`` without an account, or the run cannot be started.
    """

    def __init__(
        self,
        *,
        project: str = "vidcls",
        name: str | None = None,
        entity: str | None = None,
        group: str | None = None,
        tags: list[str] | None = None,
    ) -> None:
        # create_new: a second training in the same process is a run of its own.
        super().__init__(name=name, project=project, entity=entity, group=group, tags=tags, reinit="create_new")
        del self._wandb_init["anonymous"]  # Lightning's default, which wandb warns about

    def place(self, run_dir: Path) -> None:
        """Keep the files of the run below ``run_dir``, in ``wandb/``; to be called before anything is logged."""
        self._save_dir = self._wandb_init["dir"] = os.fspath(run_dir)

    def resume(self, run_id: str) -> None:
        """Go on with the run of that id; to be called before anything is logged.

        Raises:
            ConfigurationError: no run has such an id: it names folders, and may come from a checkpoint of others.
        """
        if not re.fullmatch(r"[\w-]{1,128}", str(run_id)):
            raise ConfigurationError(f"W&B: {run_id!r} is not the id of a run: letters, digits, _ and - are allowed")
        self._id = self._wandb_init["id"] = run_id

    @property
    @rank_zero_experiment
    def experiment(self) -> Run:
        """The run, started when it is first asked for; a stand-in that does nothing on other processes."""
        if self._experiment is None:
            self._start()
        return cast("Run", self._experiment)

    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, object] | Namespace) -> None:
        """Add to the run's configuration; what is called a key, token, password or secret is left out."""
        plain = vars(params) if isinstance(params, Namespace) else params
        super().log_hyperparams(cast("dict[str, object]", _without_secrets(plain)))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Finish the run; offline, print the command that uploads it."""
        super().finalize(status)
        if self._experiment is None:
            return
        run, self._experiment = cast("Run", self._experiment), None
        self.resume(run.id)
        run.finish(exit_code=0 if status == "success" else 1)
        if run.offline:
            rank_zero_info(f"W&B: run {run.id} is kept offline; upload it from this machine with: {sync_command(run)}")

    def _start(self) -> None:
        mode = _mode()  # before wandb reads the same variable
        import wandb

        # Offline its own lines would offer a command for the newest folder alone.
        settings = wandb.Settings(silent=True) if mode == "offline" else wandb.Settings()
        if remote_holds_secret(Path.cwd()):  # W&B keeps that address, and of `https://TOKEN:x@host` the token
            settings.disable_git = True
            rank_zero_info("W&B: git is left out of the run: the address of its remote holds a name or password")
        self._wandb_init |= {"mode": mode, "settings": settings}
        folder = Path(self._wandb_init["dir"])
        folder.mkdir(parents=True, exist_ok=True)
        _stage_where_possible(folder)
        try:
            _ = super().experiment
        except wandb.Error as error:
            raise ConfigurationError(
                f"W&B could not start the run ({first_line(error)}): "
                "set WANDB_MODE=offline to train without it and upload later"
            ) from error


def one_run(environment: Mapping[str, str]) -> dict[str, str]:
    """What makes processes that are started again one after the other go on with one run, before a checkpoint names it.

    Args:
        environment: theirs; a run that it names already stays.
    """
    return {} if "WANDB_RUN_ID" in environment else {"WANDB_RUN_ID": secrets.token_hex(4), "WANDB_RESUME": "allow"}


def sync_command(run: Run) -> str:
    """The one command that uploads an offline run, with all of its folders in the order of time."""
    folder = Path(run.dir).parent  # .../wandb/offline-run-<time>-<id>
    named = re.compile(rf"offline-run-\d+_\d+-{re.escape(run.id)}(-\d+)?")  # a number where one second saw two of them
    folders = sorted(path for path in folder.parent.iterdir() if named.fullmatch(path.name))
    return shlex.join(["wandb", "sync", *map(str, folders)])


@contextmanager
def as_extra(what: str) -> Iterator[None]:
    """What a run shows beside its curves: where the block cannot make it, one warning says why, and the result stays.

    Args:
        what: it is, for the warning.
    """
    import wandb

    try:
        yield
    except (OSError, VidclsError, wandb.Error) as error:
        place = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else ""
        rank_zero_warn(
            f"W&B: {what} not logged ({place or first_line(error)}); everything else is kept. Temporary files lie in "
            f"{tempfile.gettempdir()} (TMPDIR), staged ones in {wandb.env.get_data_dir()} (WANDB_DATA_DIR)"
        )


def _stage_where_possible(folder: Path) -> None:
    """Stage files in the run folder where W&B's own place, in the home folder, cannot be written to."""
    from wandb.env import DATA_DIR, get_data_dir

    if DATA_DIR in os.environ:
        return
    try:
        Path(get_data_dir()).mkdir(parents=True, exist_ok=True)
        is_writable = os.access(get_data_dir(), os.W_OK)
    except OSError:
        is_writable = False
    if not is_writable:
        os.environ[DATA_DIR] = str((folder / "wandb" / "staging").absolute())


def _mode() -> str:
    """What the user set, else online with an account and offline without."""
    given = os.environ.get("WANDB_MODE", "")
    wanted = given.strip().lower()
    if wanted and wanted not in MODES:
        raise ConfigurationError(f"WANDB_MODE is {given!r}: expected one of {', '.join(MODES)}")
    if wanted != given:  # wandb reads it too, and knows small letters alone
        os.environ["WANDB_MODE"] = wanted
    import wandb

    configured = wanted or wandb.setup().settings.mode  # `wandb offline` sets it in a file
    if configured == "dryrun":
        return "offline"
    if configured in ("offline", "disabled"):
        return configured
    try:
        has_account = wandb.login(prompt=False, verify=False)
    except wandb.Error as error:
        raise ConfigurationError(f"W&B refuses the account ({first_line(error)}): run wandb login") from error
    if has_account:
        return "online"
    if wanted:
        raise ConfigurationError(
            f"WANDB_MODE is {wanted}, but no account is configured: run wandb login, set WANDB_API_KEY, or remove it"
        )
    rank_zero_info("W&B: no account is configured (wandb login, or WANDB_API_KEY), so the run is kept offline")
    return "offline"


def _without_secrets(value: object) -> object:
    """Plain types, without the values of what is named like a secret."""
    if is_dataclass(value) and not isinstance(value, type):
        return _without_secrets(asdict(value))
    if isinstance(value, Mapping):
        return {
            name: _LEFT_OUT if _SECRET_NAME.search(str(name)) and item else _without_secrets(item)
            for name, item in value.items()
        }
    return [_without_secrets(item) for item in value] if isinstance(value, (list, tuple)) else value
