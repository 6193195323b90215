"""Optical flow: computed, stored, read back, changed with the picture, drawn."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from vidcls.flow.settings import FlowMethod, FlowSettings

if TYPE_CHECKING:
    from vidcls.flow.estimators import estimate
    from vidcls.flow.on_the_fly import flow_as_stored
    from vidcls.flow.source import FlowSource
    from vidcls.flow.store import FlowStore, open_flow_store

__all__ = ["FlowMethod", "FlowSettings", "FlowSource", "FlowStore", "estimate", "flow_as_stored", "open_flow_store"]

_HOMES = {
    "FlowSource": "vidcls.flow.source",
    "FlowStore": "vidcls.flow.store",
    "estimate": "vidcls.flow.estimators",
    "flow_as_stored": "vidcls.flow.on_the_fly",
    "open_flow_store": "vidcls.flow.store",
}


def __getattr__(name: str) -> object:
    """Import torch with the first use of what needs it: settings do not."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
