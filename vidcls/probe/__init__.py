"""Features of the training videos -> the heads that do best on them in grouped cross-validation."""

from vidcls.probe.choice import Choice, choose_heads
from vidcls.probe.settings import ProbeSettings
from vidcls.probe.table import COLUMNS, Row

__all__ = ["COLUMNS", "Choice", "ProbeSettings", "Row", "choose_heads"]
