"""A service -> the routes of its server: predict, timeline, health, info, and the page where it has one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from vidcls import __version__
from vidcls.remote import allowed_remote
from vidcls.serve.answers import REFUSALS, VIDEO_BODY, Answer, Fault, Health, Info, Timeline
from vidcls.serve.bodies import drain, video_of
from vidcls.serve.description import page_of
from vidcls.serve.guard import Guard
from vidcls.serve.refusal import Refusal
from vidcls.serve.service import Service
from vidcls.serve.temporary import UploadFolder
from vidcls.video.source import VideoSource

if TYPE_CHECKING:
    from vidcls.serve.page import Page

DESCRIPTION = "Scores of videos, as the test of the model scored them."
CLIENT_GONE = 499  # as nginx notes it; nobody reads it


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask, and for what.

    Args:
        token: which requests must have; None for none.
        is_local: only this machine reaches the server.
        reads_private: addresses of private networks may be read.
        host_names: of a proxy before the server, which its pages are then of.
    """

    token: str | None = None
    is_local: bool = True
    reads_private: bool = False
    host_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Videos:
    """Takes the video of a request, for a route.

    Args:
        service: whose limits hold.
        folder: where files are kept.
        access: which addresses may be read.
    """

    service: Service
    folder: UploadFolder
    access: Access

    @asynccontextmanager
    async def of(self, request: Request) -> AsyncIterator[tuple[VideoSource, float]]:
        """The video, and the time by which the request is to be answered."""
        with self.service.admitted() as deadline:
            private = self.access.reads_private
            async with video_of(request, self.folder, self.service.limits, deadline, reads_private=private) as source:
                yield source, deadline


def create_app(service: Service, folder: UploadFolder, access: Access, page: Page | None = None) -> FastAPI:
    """The application, to be run by uvicorn.

    Args:
        service: what scores.
        folder: where uploads are kept while they are worked on.
        access: who may ask.
        page: for people; None serves none.
    """
    app = FastAPI(title="vidcls", version=__version__, description=DESCRIPTION, docs_url=None, redoc_url=None)
    guard = cast("Callable[..., Guard]", Guard)
    app.add_middleware(guard, token=access.token, is_local=access.is_local, host_names=access.host_names)
    _add_refusals(app)
    videos = Videos(service, folder, access)

    @app.post("/predict", openapi_extra=VIDEO_BODY, responses=REFUSALS)
    async def predict(request: Request) -> Answer:
        """The scores of a whole video."""
        async with videos.of(request) as (source, deadline):
            return Answer.of(await service.scored(source, deadline))

    @app.post("/timeline", openapi_extra=VIDEO_BODY, responses=REFUSALS)
    async def timeline(request: Request) -> Timeline:
        """The scores of up to 24 windows of a video, end to end."""
        async with videos.of(request) as (source, deadline):
            return Timeline(windows=[Answer.of(one) for one in await service.timeline(source, deadline)])

    @app.get("/health")
    async def health() -> Health:
        """That the server answers; needs no token."""
        return Health()

    @app.get("/info", responses={401: {"model": Fault}})
    async def info() -> Info:
        """The model, and the limits."""
        return Info(
            version=__version__,
            model=service.model.path.name,
            device=service.device_text,
            class_names=list(service.model.class_names),
            clip=service.model.input_settings.to_dict(),
            limits=service.limits.to_dict(),
            num_workers=service.num_workers,
            num_in_work=service.num_in_work,
            remote=list(allowed_remote()),
        )

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page_of(app.openapi()))

    if page is not None:
        page.add_routes(app, videos)
    return app


def _add_refusals(app: FastAPI) -> None:
    """Let whatever is refused be answered with the same two keys."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> JSONResponse:
        await drain(request)
        return JSONResponse(refusal.content, refusal.status, headers={**refusal.headers, "Connection": "close"})

    @app.exception_handler(HTTPException)
    async def not_found(request: Request, error: HTTPException) -> JSONResponse:
        kind = {404: "not_found", 405: "method"}.get(error.status_code, "bad_request")
        message = f"{request.method} {request.url.path}: {error.detail}; /docs lists what there is"
        return JSONResponse({"error": message, "kind": kind}, error.status_code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:  # noqa: ARG001
        found = error.errors()[0]
        place = ".".join(str(part) for part in found["loc"])
        return JSONResponse({"error": f"{place}: {found['msg']}", "kind": "bad_request"}, 400)

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: ClientDisconnect) -> JSONResponse:  # noqa: ARG001
        return JSONResponse({"error": "the client has gone", "kind": "gone"}, CLIENT_GONE)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 - the log has its traceback
        return JSONResponse({"error": "the server failed; its log says more", "kind": "internal"}, 500)
