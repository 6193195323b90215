"""A tested run -> one page: how good it is, where it errs, and why; a data set -> one page: what is in it."""

from vidcls.report.data_page import write_data_page
from vidcls.report.page import write_report
from vidcls.report.run_folder import RunFolder, read_run

__all__ = ["RunFolder", "read_run", "write_data_page", "write_report"]
