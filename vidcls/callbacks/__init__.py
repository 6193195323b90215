"""What is logged, written and drawn while a model trains or is tested."""

from vidcls.callbacks.callback_checks import CallbackChecks
from vidcls.callbacks.end_together import EndTogether
from vidcls.callbacks.fast import Fast
from vidcls.callbacks.fit_files import FitFiles
from vidcls.callbacks.flow_bound import FlowBound
from vidcls.callbacks.layer_statistics import LayerStatistics
from vidcls.callbacks.metrics_log import MetricsLog
from vidcls.callbacks.progress_line import ProgressLine
from vidcls.callbacks.run_checkpoints import BestCheckpoint, last_checkpoints
from vidcls.callbacks.run_facts import RunFacts
from vidcls.callbacks.skipped_videos import SkippedVideos
from vidcls.callbacks.stop_at_batch import StopAtBatch
from vidcls.callbacks.svm_fit import SvmFit
from vidcls.callbacks.test_files import TestFiles
from vidcls.callbacks.wandb_looks import WandbLooks
from vidcls.callbacks.wandb_media import WandbMedia
from vidcls.callbacks.wandb_run import WandbRun
from vidcls.callbacks.whole_checkpoints import WholeCheckpoints

__all__ = [
    "BestCheckpoint",
    "CallbackChecks",
    "EndTogether",
    "Fast",
    "FitFiles",
    "FlowBound",
    "LayerStatistics",
    "MetricsLog",
    "ProgressLine",
    "RunFacts",
    "SkippedVideos",
    "StopAtBatch",
    "SvmFit",
    "TestFiles",
    "WandbLooks",
    "WandbMedia",
    "WandbRun",
    "WholeCheckpoints",
    "last_checkpoints",
]
