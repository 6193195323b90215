"""What the server answers, as its OpenAPI page describes it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from vidcls.serve.service import Scored

VIDEO_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary", "description": "A video."}},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["url"],
                    "properties": {
                        "url": {
                            "type": "string",
                            "description": "The address of a video, of a kind that the server was started with.",
                        }
                    },
                }
            },
        },
    }
}


class Fault(BaseModel):
    """Why a request got no scores."""

    error: str = Field(description="One line for people.")
    kind: str = Field(description="A word for programs, such as too_large.")


class Answer(BaseModel):
    """The scores of a video, or of a window of it."""

    name: str = Field(description="What the client calls the video.")
    label: str = Field(
        description="The class that the video is given; several as a|b; unknown where it is taken for one of none."
    )
    scores: dict[str, float] = Field(description="Probability by class, as vidcls predict gives them.")
    rows: dict[str, dict[str, float]] = Field(
        description="Probability by row of the test's table (model, its parts and its fusions) and class."
    )
    start_seconds: float
    end_seconds: float

    @classmethod
    def of(cls, scored: Scored) -> Answer:
        """What the service found."""
        return cls(
            name=scored.name,
            label=scored.label,
            scores=scored.scores,
            rows=scored.rows,
            start_seconds=scored.start_seconds,
            end_seconds=scored.end_seconds,
        )


class Timeline(BaseModel):
    """The scores of the windows of a video."""

    windows: list[Answer] = Field(description="In order of time, end to end.")


class Health(BaseModel):
    """That the server answers."""

    status: str = "ok"


class Info(BaseModel):
    """What the server answers with, and what it accepts."""

    version: str
    model: str = Field(description="Name of the model's file.")
    device: str
    class_names: list[str]
    clip: dict[str, object] = Field(description="How a video becomes the input of the network.")
    limits: dict[str, int | float]
    num_workers: int
    num_in_work: int = Field(description="Requests that are worked on or wait.")
    remote: list[str] = Field(description="Protocols of addresses that are read.")


REFUSALS: dict[int | str, dict[str, object]] = {
    400: {"model": Fault, "description": "The body is not as expected."},
    401: {"model": Fault, "description": "The token is missing or wrong."},
    403: {"model": Fault, "description": "An address that may not be read, or a page of another site."},
    408: {"model": Fault, "description": "The body came in too slowly."},
    413: {"model": Fault, "description": "The file is too large."},
    415: {"model": Fault, "description": "The body is of another kind."},
    422: {"model": Fault, "description": "The video cannot be read, or is beyond a limit."},
    503: {"model": Fault, "description": "Busy, or stopping; the header Retry-After says when to come back."},
}
