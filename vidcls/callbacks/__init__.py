"""What is logged, written and drawn while a model trains or is tested."""

from vidcls.callbacks.best_epoch import BestEpoch
from vidcls.callbacks.callback_checks import CallbackChecks
from vidcls.callbacks.decision_fit import DecisionFit
from vidcls.callbacks.distillation import Distillation
from vidcls.callbacks.fit_files import FitFiles
from vidcls.callbacks.flow_bound import FlowBound
from vidcls.callbacks.held_out_scores import HeldOutScores
from vidcls.callbacks.layer_statistics import LayerStatistics
from vidcls.callbacks.left_out_scores import LeftOutScores
from vidcls.callbacks.local_loggers import MlflowRun, TensorBoardRun
from vidcls.callbacks.local_media import LocalMedia
from vidcls.callbacks.lr_finder import LearningRateRangeTest
from vidcls.callbacks.metrics_log import MetricsLog
from vidcls.callbacks.probe_fit import ProbeFit
from vidcls.callbacks.process_watchdog import ProcessWatchdog
from vidcls.callbacks.progress_line import ProgressLine
from vidcls.callbacks.result_files import ResultFiles
from vidcls.callbacks.resumed_checkpoint import ResumedCheckpoint
from vidcls.callbacks.run_checkpoints import BestCheckpoint, last_checkpoints
from vidcls.callbacks.run_copied import RunCopied
from vidcls.callbacks.run_facts import RunFacts
from vidcls.callbacks.shared_folder import SharedFolder
from vidcls.callbacks.skipped_videos import SkippedVideos
from vidcls.callbacks.soundless_videos import SoundlessVideos
from vidcls.callbacks.speed_up import SpeedUp
from vidcls.callbacks.stop_at_batch import StopAtBatch
from vidcls.callbacks.svm_fit import SvmFit
from vidcls.callbacks.validation_table import ValidationTable
from vidcls.callbacks.wandb_explanations import WandbExplanations
from vidcls.callbacks.wandb_media import WandbMedia
from vidcls.callbacks.wandb_run import WandbRun
from vidcls.callbacks.warmup_ema import WarmupEMA
from vidcls.callbacks.whole_checkpoints import WholeCheckpoints

Fast = SpeedUp  # as files written by version 0.1 call it

__all__ = [
    "BestCheckpoint",
    "BestEpoch",
    "CallbackChecks",
    "DecisionFit",
    "Distillation",
    "Fast",
    "FitFiles",
    "FlowBound",
    "HeldOutScores",
    "LayerStatistics",
    "LearningRateRangeTest",
    "LeftOutScores",
    "LocalMedia",
    "MetricsLog",
    "MlflowRun",
    "ProbeFit",
    "ProcessWatchdog",
    "ProgressLine",
    "ResultFiles",
    "ResumedCheckpoint",
    "RunCopied",
    "RunFacts",
    "SharedFolder",
    "SkippedVideos",
    "SoundlessVideos",
    "SpeedUp",
    "StopAtBatch",
    "SvmFit",
    "TensorBoardRun",
    "ValidationTable",
    "WandbExplanations",
    "WandbMedia",
    "WandbRun",
    "WarmupEMA",
    "WholeCheckpoints",
    "last_checkpoints",
]
