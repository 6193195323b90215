"""A server in the process of a test, of an untrained two-stream network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from factories import two_stream, video_data
from lightning.pytorch import Trainer
from planted_reading import read_or_fail

from vidcls.datasets import VideoDataset
from vidcls.predict.scoring import VideoScorer

if TYPE_CHECKING:
    import httpx

    from vidcls.serve.app import Access
    from vidcls.serve.limits import Limits
    from vidcls.serve.page import Page
    from vidcls.serve.service import Service
    from vidcls.serve.temporary import UploadFolder


@dataclass(frozen=True)
class Served:
    """A running server, and what is behind it."""

    url: str
    service: Service
    folder: UploadFolder

    def post(self, path: Path, *, name: str | None = None, route: str = "/predict", **headers: str) -> httpx.Response:
        """The answer to an upload of the file, under another name where one is given."""
        import httpx

        with path.open("rb") as file:
            return httpx.post(self.url + route, files={"file": (name or path.name, file)}, headers=headers, timeout=60)


Serve = Callable[..., Served]


def saved_checkpoint(dataset: VideoDataset, path: Path) -> Path:
    """Of a two-stream network that nobody trained, with three views a video."""
    data = video_data(dataset, streams=("rgb", "flow"), flow_len=3, test_clips=3)
    model = two_stream(clip=data.clip)
    trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, accelerator="cpu")
    trainer.test(model, data, verbose=False)
    trainer.save_checkpoint(path)
    return path


@contextmanager
def servers(predictor: VideoScorer, uploads: Path) -> Iterator[Serve]:
    """What starts servers, which end with the block; skips where the extra is not installed."""
    for name in ("fastapi", "uvicorn", "python_multipart", "httpx"):
        pytest.importorskip(name, reason="needs the extra serve, and httpx")
    from vidcls.serve.app import Access, create_app
    from vidcls.serve.limits import Limits
    from vidcls.serve.server import listening, running
    from vidcls.serve.service import Service
    from vidcls.serve.temporary import UploadFolder

    with ExitStack() as stack:

        def start(
            limits: Limits | None = None,
            access: Access | None = None,
            page: Page | None = None,
            num_workers: int = 1,
        ) -> Served:
            folder = stack.enter_context(UploadFolder(uploads))
            service = Service(predictor, limits or Limits(), num_workers=num_workers, read=read_or_fail)
            stack.callback(service.close)
            if page is not None:
                stack.callback(page.close)
            app = create_app(service, folder, access or Access(), page)
            return Served(stack.enter_context(running(app, listening("127.0.0.1", 0))), service, folder)

        yield start
