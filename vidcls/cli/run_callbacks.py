"""A run -> the callbacks, loggers and plugins of its trainer: csv log, checkpoints, result files, W&B."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import Namespace
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ProgressBar
from lightning.pytorch.loggers import Logger

from vidcls.callbacks import (
    BestCheckpoint,
    BestEpoch,
    CallbackChecks,
    DecisionFit,
    FitFiles,
    FlowBound,
    HeldOutScores,
    LeftOutScores,
    LocalMedia,
    MetricsLog,
    MlflowRun,
    ProbeFit,
    ProcessWatchdog,
    ProgressLine,
    ResultFiles,
    ResumedCheckpoint,
    RunFacts,
    SharedFolder,
    SkippedVideos,
    SoundlessVideos,
    StopAtBatch,
    SvmFit,
    TensorBoardRun,
    ValidationTable,
    WandbExplanations,
    WandbMedia,
    WandbRun,
    WholeCheckpoints,
    last_checkpoints,
)
from vidcls.cli.request import Request
from vidcls.jobs import Pool
from vidcls.remote import place_of
from vidcls.runs.folder import BEST, CHECKPOINTS, LAST, checkpoint_in
from vidcls.runs.results_folder import results_folder


def fit_callbacks(
    run: Path,
    stop: StopAtBatch,
    *,
    monitor: str,
    save_every_n_steps: int | None,
    features: str | None = None,
    pool: Pool | None = None,
) -> list[Callback]:
    """What every training has.

    Args:
        run: the run folder.
        stop: ends the run where a signal comes.
        monitor: what the best checkpoint is best at.
        save_every_n_steps: save the last checkpoint after so many optimiser steps too; None saves it after epochs.
        features: the folder where a probe keeps features; None for one in the cache.
        pool: who computes features of a probe; None for processes of this machine.
    """
    return [
        ProcessWatchdog(),
        stop,
        SharedFolder(run),
        ResumedCheckpoint(),
        CallbackChecks(),
        BestEpoch(),
        BestCheckpoint(run / CHECKPOINTS, monitor=monitor),
        *last_checkpoints(run / CHECKPOINTS, every_n_steps=save_every_n_steps),
        LearningRateMonitor(logging_interval="step"),
        SkippedVideos(),
        SoundlessVideos(),
        FlowBound(),
        SvmFit([checkpoint_in(run, BEST), checkpoint_in(run, LAST)]),
        HeldOutScores(run),
        DecisionFit(run),
        FitFiles(run),
        RunFacts(run),
        ProbeFit(run, place_of(features) if features is not None else None, pool=pool),
        WandbMedia(),
        WandbExplanations(run),
        LocalMedia(run),
    ]


def evaluation_callbacks(run: Path, stop: StopAtBatch, *, checkpoint: Path | None, dataset: object) -> list[Callback]:
    """What every test and validation has.

    Args:
        run: the run folder.
        stop: ends the run where a signal comes.
        checkpoint: the file that is tested.
        dataset: what it is tested on, in plain types.
    """
    results = results_folder(run, dataset)
    files = ResultFiles(results, checkpoint=checkpoint, dataset=dataset)
    of_run: list[Callback] = [WandbMedia(), WandbExplanations(results), LocalMedia(results)]
    if results == run and checkpoint is not None and checkpoint.resolve() == checkpoint_in(run, BEST).resolve():
        of_run.append(HeldOutScores(run))
    return [ProcessWatchdog(), stop, LeftOutScores(), files, ValidationTable(), FlowBound(), SoundlessVideos(), *of_run]


def progress_callbacks(trainer: Namespace) -> list[Callback]:
    """Our progress line, unless the section of the trainer wants none or has another."""
    given = trainer.get("callbacks")
    callbacks = given if isinstance(given, list) else [given]
    if trainer.get("enable_progress_bar") is False or any(isinstance(callback, ProgressBar) for callback in callbacks):
        return []
    return [ProgressLine()]


def run_loggers(given: object, request: Request, *, has_metrics: bool) -> list[Logger] | bool:
    """The user's loggers, and for a training the csv log before them; False where there are none.

    Args:
        given: the loggers of the trainer's section.
        request: says where the run lies and what it goes on from.
        has_metrics: whether the run has a csv log.
    """
    facts = request.facts
    loggers = list(given) if isinstance(given, list) else [given] if isinstance(given, Logger) else []
    for logger in loggers:
        if isinstance(logger, MlflowRun | TensorBoardRun | WandbRun):
            logger.place(request.folder())
        if isinstance(logger, WandbRun) and facts is not None and facts.wandb_run_id is not None and request.goes_on:
            logger.resume(facts.wandb_run_id)
    if not has_metrics:
        return loggers or False
    resumed_at = facts.global_step if facts is not None and request.goes_on else None
    return [MetricsLog(request.folder(), resumed_at_step=resumed_at), *loggers]


def with_whole_checkpoints(given: object) -> list[object]:
    """The user's plugins, and ours that writes checkpoints unless one of theirs does."""
    plugins = given if isinstance(given, list) else [] if given is None else [given]
    has_own = any(isinstance(plugin, CheckpointIO) for plugin in plugins)
    return plugins if has_own else [*plugins, WholeCheckpoints()]
