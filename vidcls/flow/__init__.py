"""Optical flow: computed, stored, read back, changed with the picture, drawn."""

from vidcls.flow.estimators import estimate
from vidcls.flow.on_the_fly import flow_as_stored
from vidcls.flow.settings import FlowMethod, FlowSettings
from vidcls.flow.source import FlowSource
from vidcls.flow.store import FlowStore, open_flow_store

__all__ = ["FlowMethod", "FlowSettings", "FlowSource", "FlowStore", "estimate", "flow_as_stored", "open_flow_store"]
