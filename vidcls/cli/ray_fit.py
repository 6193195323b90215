"""fit --engine ray -> the same command on processes of a Ray cluster, in one run folder that this process keeps."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

from vidcls.callbacks.last_lines import next_command
from vidcls.callbacks.wandb_run import one_run
from vidcls.cli.engine import Engine
from vidcls.cli.library_notes import is_verbose, quiet_libraries
from vidcls.cli.places import PLACES, Places
from vidcls.cli.request import Request, read_request
from vidcls.cli.words import Words
from vidcls.cluster_address import LOCAL
from vidcls.console import say
from vidcls.errors import VidclsError
from vidcls.jobs.ray_session import ray_session
from vidcls.jobs.ray_training import Job, Nodes, run_on_ray
from vidcls.launched import RUN_OF_PARENT
from vidcls.remote.permission import words_of_permission
from vidcls.runs.folder import LAST, checkpoint_in
from vidcls.trusted_classes import OPTION, allowed_classes

LOST = 1


def fit_on_ray(words: Words, places: Places, engine: Engine) -> int:
    """Train on processes of a Ray cluster; returns the exit status.

    Args:
        words: behind the command, without those of the engine.
        places: where it works.
        engine: what Ray is to run.

    Raises:
        VidclsError: bad input; one line.
    """
    quiet_libraries()
    request = read_request("fit", words, places)
    num_gpus = math.ceil(engine.num_processes * engine.num_gpus)
    try:
        job = _job(words, request, engine)
        with ray_session(
            engine.address,
            num_cpus=math.ceil(engine.num_processes * engine.num_cpus) if engine.address == LOCAL else None,
            num_gpus=num_gpus if engine.address == LOCAL and num_gpus else None,
        ):
            lost = run_on_ray(job, _nodes(engine), _say)
    except BaseException as error:
        request.drop_folder(with_files=isinstance(error, VidclsError))
        raise
    finally:
        request.release()
    if lost is None:
        return 0
    again = next_command("fit", request.folder(), "--ckpt_path", LAST)
    has_checkpoint = checkpoint_in(job.run, LAST).is_file()
    hint = f": with the same options of Ray, {again} goes on" if has_checkpoint else ""
    say(
        f"vidcls: error: {lost}; the training was started {engine.max_failures + 1} times (--max_failures "
        f"{engine.max_failures}){hint}",
        file=sys.stderr,
    )
    return LOST


def _nodes(engine: Engine) -> Nodes:
    return Nodes(
        num_processes=engine.num_processes,
        num_nodes=engine.num_nodes,
        num_cpus=engine.num_cpus,
        num_gpus=engine.num_gpus,
        max_failures=engine.max_failures,
    )


def _job(words: Words, request: Request, engine: Engine) -> Job:
    run = request.folder()
    given = words.without(*PLACES).as_given
    common = [*given, "--name", request.name, *_processes(words, engine)]
    common += [word for prefix in allowed_classes() for word in (OPTION, prefix)]
    common += words_of_permission()
    common += ["--verbose"] if is_verbose() else []
    root = ["--trainer.default_root_dir", str(request.root)]
    if request.facts is None:
        start = ["--run", str(run)]
    elif request.existing is not None:
        start = ["--run", str(run), "--ckpt_path", str(request.facts.path.absolute())]
    else:
        start = ["--ckpt_path", str(request.facts.path.absolute())]
    is_wandb_run_known = request.facts is not None and request.facts.wandb_run_id is not None and request.goes_on
    return Job(
        start=("fit", *common, *root, *start),
        resume=("fit", *common, *root, "--run", str(run), "--ckpt_path", LAST),
        checkpoint=checkpoint_in(run.absolute(), LAST),
        run=run.absolute(),
        folder=Path.cwd(),
        environment={RUN_OF_PARENT: str(run)} | ({} if is_wandb_run_known else one_run(os.environ)),
    )


def _processes(words: Words, engine: Engine) -> list[str]:
    """The trainer's options: each process is a node of its own, with the GPU that Ray gives it."""
    number = ["--trainer.devices", "1", "--trainer.num_nodes", str(engine.num_processes)]
    given = words.last("--trainer.strategy", "--trainer.strategy.class_path")
    strategy = given or words.section("trainer").get("strategy")
    return number if strategy not in (None, "auto") or engine.num_processes == 1 else [*number, *_DDP]


_DDP = ("--trainer.strategy", "ddp")


def _say(stream: str, line: str) -> None:
    say(line, file=sys.stderr if stream == "err" else sys.stdout)
