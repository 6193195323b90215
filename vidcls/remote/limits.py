"""The environment -> how often and how long an object is asked for before it counts as unreadable."""

from __future__ import annotations

import os
from dataclasses import dataclass

from vidcls.errors import ConfigurationError

RETRIES, TIMEOUT = "VIDCLS_REMOTE_RETRIES", "VIDCLS_REMOTE_TIMEOUT"
_LEAST_BYTES_PER_SECOND = 128 * 1024


@dataclass(frozen=True)
class Limits:
    """How long a request may take.

    Args:
        retries: after the first try.
        silent_seconds: for which a server may send nothing.
    """

    retries: int = 5
    silent_seconds: float = 30.0

    @property
    def total_seconds(self) -> float:
        """After which a request that failed is not tried again."""
        return 10 * self.silent_seconds

    @property
    def listing_seconds(self) -> float:
        """For one try at a listing that comes in one answer: an hour, in which several million names come."""
        return 12 * self.total_seconds

    def most_seconds(self, num_bytes: int) -> float:
        """For one try: a server that sends a few bytes now and then is not silent, but of no use either."""
        return 2 * self.silent_seconds + num_bytes / _LEAST_BYTES_PER_SECOND

    def pause_seconds(self, failures: int) -> float:
        """Before the next try, twice as long each time, at most 20 s."""
        return min(0.25 * 2**failures, 20.0, self.silent_seconds)


def limits() -> Limits:
    """Those of the environment.

    Raises:
        ConfigurationError: a variable is not a number.
    """
    return Limits(int(number(RETRIES, Limits.retries)), max(0.1, number(TIMEOUT, Limits.silent_seconds)))


def number(variable: str, default: float) -> float:
    """A variable of the environment that is a number of at least 0.

    Raises:
        ConfigurationError: it is something else.
    """
    text = os.environ.get(variable, "")
    if not text:
        return default
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise ConfigurationError(f"the environment variable {variable} is {text!r}; expected a number of at least 0")
    return found
