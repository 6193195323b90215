"""A tested run -> one page that tells how good it is, where it errs, and why."""

from vidcls.report.page import write_report
from vidcls.report.run_folder import RunFolder, read_run

__all__ = ["RunFolder", "read_run", "write_report"]
