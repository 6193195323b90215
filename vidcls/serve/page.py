"""A server -> its page for people: upload, webcam, examples, bars, the timeline, heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from pydantic import BaseModel

from vidcls import __version__
from vidcls.jobs.standing import StandingProcesses
from vidcls.serve import heat
from vidcls.serve.answers import REFUSALS, VIDEO_BODY
from vidcls.serve.limits import MEBIBYTE
from vidcls.serve.refusal import Refusal

if TYPE_CHECKING:
    from vidcls.serve.app import Videos

TEMPLATE = Path(__file__).parent / "templates" / "page.html"
NO_HEAT = "Heat maps need the checkpoint: start the server with the run in place of the exported file."


@dataclass(frozen=True, slots=True)
class Example:
    """A video that the page offers.

    Args:
        path: the file.
        label: its class.
    """

    path: Path
    label: str


class ShownExample(BaseModel):
    """An example as the page shows it."""

    name: str
    label: str


class PageFacts(BaseModel):
    """What the page shows before there is a video."""

    version: str
    model: str
    class_names: list[str]
    examples: list[ShownExample]
    has_report: bool
    has_heat: bool
    why_no_heat: str
    max_mib: int
    max_duration_seconds: float


class Page:
    """The routes of the page.

    Args:
        model_name: what is served, as its heading says.
        checkpoint: for heat maps; None where the model is an exported file.
        device: where heat is computed.
        examples: videos to offer.
        report: the page of the run; None where there is none.
    """

    def __init__(
        self,
        model_name: str,
        *,
        checkpoint: Path | None = None,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        examples: Sequence[Example] = (),
        report: Path | None = None,
    ) -> None:
        self._model_name, self._checkpoint, self._device = model_name, checkpoint, device
        self._examples, self._report = tuple(examples), report
        self._text = TEMPLATE.read_text(encoding="utf-8")
        self._heaters = None if checkpoint is None else StandingProcesses(1, "vidcls.explain")

    def close(self) -> None:
        """End the process that computes heat."""
        if self._heaters is not None:
            self._heaters.close()

    def add_routes(self, app: FastAPI, videos: Videos) -> None:
        """Let the application answer them."""
        service = videos.service

        @app.get("/", include_in_schema=False)
        async def page() -> HTMLResponse:
            return HTMLResponse(self._text)

        @app.get("/page.json", include_in_schema=False)
        async def facts() -> PageFacts:
            return PageFacts(
                version=__version__,
                model=self._model_name,
                class_names=list(service.model.class_names),
                examples=[ShownExample(name=one.path.name, label=one.label) for one in self._examples],
                has_report=self._report is not None and self._report.is_file(),
                has_heat=self._heaters is not None,
                why_no_heat="" if self._heaters is not None else NO_HEAT,
                max_mib=round(service.limits.max_bytes / MEBIBYTE),
                max_duration_seconds=service.limits.max_duration_seconds,
            )

        @app.get("/examples/{number}", include_in_schema=False)
        async def example(number: int) -> FileResponse:
            if not 0 <= number < len(self._examples) or not self._examples[number].path.is_file():
                raise Refusal(404, "not_found", f"there is no example {number}; reload the page")
            return FileResponse(self._examples[number].path)

        @app.get("/report", include_in_schema=False)
        async def report() -> FileResponse:
            if self._report is None or not self._report.is_file():
                raise Refusal(404, "not_found", "this run has no page: write it with vidcls report")
            return FileResponse(self._report, media_type="text/html")

        @app.post("/heat", openapi_extra=VIDEO_BODY, responses=REFUSALS, response_class=Response)
        async def heat_map(request: Request, class_name: str | None = None) -> Response:
            """A video (mp4) of where and when the model looks for a class; for checkpoints alone."""
            if self._heaters is None or self._checkpoint is None:
                raise Refusal(404, "no_heat", NO_HEAT)
            async with videos.of(request) as (source, deadline):
                with videos.folder.file() as target:
                    output = target.with_name(f"{target.name}-heat.mp4")
                    seconds = service.limits.timeout_seconds
                    future = self._heaters.submit(
                        heat.write_heat_video,
                        seconds,
                        self._checkpoint,
                        self._device,
                        source,
                        class_name,
                        output,
                        service.limits,
                    )
                    await service.within(future, source, deadline)
                    return Response(output.read_bytes(), media_type="video/mp4")
