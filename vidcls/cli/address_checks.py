"""Which addresses this installation can read, and where it keeps copies of objects."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from vidcls.cli.health_finding import Finding
from vidcls.errors import ConfigurationError
from vidcls.files import cache_folder
from vidcls.remote.addresses import NAMES, PROTOCOLS
from vidcls.remote.cache_room import LIMIT, limit_bytes
from vidcls.remote.permission import OPTION, missing_package


def check_addresses() -> Iterator[Finding]:
    """The protocols whose addresses can be read, after ``--allow-remote``."""
    readable: list[str] = []
    lacking: list[str] = []
    for name in NAMES:
        (lacking if missing_package(name) else readable).append(name)
    if readable:
        words = f"{', '.join(readable)}: read with {OPTION} {readable[0]}"
        yield Finding("addresses", "protocols", "ok", words)
    for name in lacking:
        fix = PROTOCOLS[name].install.replace("pip", f"{sys.executable} -m pip", 1)
        yield Finding("addresses", name, "note", f"needs {missing_package(name)}", fix)
    try:
        words = f"copies of objects in {cache_folder() / 'objects'}, up to {limit_bytes() / 1e9:g} GB ({LIMIT})"
        yield Finding("addresses", "cache", "ok", words)
    except ConfigurationError as error:
        yield Finding("addresses", "cache", "fail", str(error), f"unset {LIMIT}")
