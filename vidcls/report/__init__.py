"""A tested run -> one page: how good it is, where it errs, and why; a data set -> one page: what is in it."""

from vidcls.report.data_page import write_data_page
from vidcls.report.page import write_report

__all__ = ["write_data_page", "write_report"]
