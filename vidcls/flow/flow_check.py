"""A video that was looked at, and the place of stored flow -> whether its flow is there and whole, and is its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vidcls.errors import FlowError, MissingFlowError
from vidcls.flow.codec import dequantize
from vidcls.flow.flow_file import FlowFile
from vidcls.flow.saturation import Saturation
from vidcls.flow.source import FlowSource
from vidcls.flow.store import FlowStore
from vidcls.types import VideoRecord
from vidcls.video.source_identity import SourceIdentity

_NUM_READ_FIELDS = 3  # of a video whose flow does not say what its bound cut


@dataclass(frozen=True, slots=True)
class FlowFault:
    """What is wrong with the flow of one video.

    Args:
        kind: it is not there, or it is not the flow of this video as it is now.
        reason: in one line.
    """

    kind: Literal["missing", "stale"]
    reason: str


def flow_fault(
    source: FlowSource, record: VideoRecord, *, identity: SourceIdentity, num_frames: int
) -> FlowFault | None:
    """What is wrong with the stored flow of a video; None where nothing is. Does not open the video.

    Args:
        source: where flow lies.
        record: the video.
        identity: of its file.
        num_frames: that it has.
    """
    try:
        if isinstance(source, FlowStore):
            path = source.path_of(record)
            if not path.is_file():
                return FlowFault("missing", f"there is no {path}")
            with FlowFile(path) as file:
                header, num_fields = file.header, file.num_fields
            made_with = (header.parameters, header.weights_digest)
            expected = (source.manifest.parameters, source.manifest.weights_digest)
            if not source.settings.matches(header.settings) or made_with != expected:
                return FlowFault("stale", "it was made with other settings than the store states")
            if header.source != identity:
                return FlowFault("stale", "it was made from another file than lies there now")
        else:
            num_fields = source.num_fields(record)
    except MissingFlowError as error:
        return FlowFault("missing", str(error))
    except FlowError as error:
        return FlowFault("stale", str(error))
    if num_fields < num_frames - 1:
        return FlowFault("stale", f"it has {num_fields} fields, the {num_frames} frames need {num_frames - 1}")
    return None


def flow_saturation(source: FlowSource, record: VideoRecord) -> Saturation:
    """What the bound cut of the stored flow of a video: as its file says, else from a few fields of it.

    Args:
        source: where flow lies.
        record: a video without a :func:`flow_fault`.

    Raises:
        FlowError: its flow cannot be read.
    """
    if isinstance(source, FlowStore):
        with FlowFile(source.path_of(record)) as file:
            if file.header.saturation is not None:
                return file.header.saturation
            chosen = _spread(file.num_fields)
            fields = dequantize(file.codes(chosen), source.settings.bound_px)
    else:
        fields = source.fields(record, _spread(source.num_fields(record)))
    return Saturation.of_stored(fields, source.settings.bound_px)


def _spread(num_fields: int) -> list[int]:
    """Up to three fields: the first, the middle and the last."""
    num = min(_NUM_READ_FIELDS, num_fields)
    return [k * (num_fields - 1) // max(1, num - 1) for k in range(num)]
