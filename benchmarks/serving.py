"""How many videos a second does a server label, and how long does a client wait, beside a plain loop?

A server of its own (``vidcls serve``), clients that send one video after the other, and a loop over the same model in
one process; alternately. Usage: python benchmarks/serving.py [--quick] [--output FILE.json] [--model FILE.onnx]
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from clips import write_originals
from lightning.pytorch import Trainer
from measuring import Measured, parser, report

from vidcls.clips import InputSettings
from vidcls.models import LateFusion
from vidcls.predict.open_model import open_model
from vidcls.transforms import TransformSettings
from vidcls.types import ClipSettings

CLIENTS = (1, 4, 16, 64)
BOUNDARY = "vidcls"


def saved_model(path: Path, backbone: str) -> Path:
    """Late fusion of eight frames of 112x112 px, with weights of chance."""
    clip = ClipSettings(clip_len=8, stride=4)
    model = LateFusion(class_names=["a", "b"], clip=clip, backbone=backbone)
    transform = TransformSettings(resize_px=128, crop_px=112)
    model.input_settings = InputSettings(("rgb",), clip, transform=transform).to_dict()
    trainer = Trainer(max_epochs=0, logger=False, accelerator="cpu", enable_checkpointing=False)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)
    return path


@contextmanager
def server(model: Path) -> Iterator[int]:
    """The port of a server of its own."""
    program = [sys.executable, "-c", "from vidcls.cli import entry; entry()", "serve", str(model), "--port", "0"]
    with subprocess.Popen([*program, "--max_queue", "256"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield int(line.partition("127.0.0.1:")[2].partition("/")[0])
        finally:
            process.send_signal(signal.SIGTERM)


def form_of(path: Path) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'
    return head.encode() + path.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()


def load(port: int, forms: Sequence[bytes], num_clients: int, num_requests: int) -> tuple[float, list[float]]:
    """Requests a second, and the seconds of each; every one must be answered with scores."""
    seconds: list[float] = []
    numbers = iter(range(num_requests))
    lock = threading.Lock()
    failures: list[str] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            start = time.perf_counter()
            headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
            connection.request("POST", "/predict", forms[number % len(forms)], headers)
            answer = connection.getresponse()
            said = answer.read()
            with lock:
                seconds.append(time.perf_counter() - start)
                if answer.status != 200:
                    failures.append(f"{answer.status} {said!r}")

    threads = [threading.Thread(target=client) for _ in range(num_clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"{len(failures)} of {num_requests} requests failed: {failures[0]}")
    return num_requests / (time.perf_counter() - start), seconds


def main() -> None:
    found = parser(__doc__)
    found.add_argument("--model", type=Path, help="the model to serve (default: late fusion on ResNet-18, untrained)")
    options = found.parse_args()
    rounds, num_requests = (1, 8) if options.quick else (3, 128)
    clients = CLIENTS[:2] if options.quick else CLIENTS
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        videos = write_originals(root, num_videos=4, num_frames=60)
        forms = [form_of(video) for video in videos]
        model = options.model or saved_model(root / "model.ckpt", "small" if options.quick else "resnet18")
        predictor = open_model(model)
        predictor(videos[0])
        rates: dict[str, list[float]] = {}
        waits: dict[str, list[float]] = {}

        def note(name: str, rate: float, seconds: Sequence[float]) -> None:
            rates.setdefault(name, []).append(rate)
            waits.setdefault(name, []).extend(seconds)
            print(f"{name}: {rate:.3g} videos/s", file=sys.stderr)

        with server(model) as port:
            load(port, forms, 4, 4 if options.quick else 16)  # its processes start
            for _ in range(rounds):
                seconds = []
                for number in range(num_requests):
                    start = time.perf_counter()
                    predictor(videos[number % len(videos)])
                    seconds.append(time.perf_counter() - start)
                note("plain loop", num_requests / sum(seconds), seconds)
                for number in clients:
                    note(f"server, {number} clients", *load(port, forms, number, num_requests))
    rows = []
    for name, values in rates.items():
        measured = Measured(values)
        wait = [float(np.percentile(waits[name], share)) * 1000 for share in (50, 95, 99)]
        rows.append((name, measured.median, measured.spread, *wait))
    report(
        f"Videos a second and milliseconds for each, {os.cpu_count()} cores for server and clients",
        ("", "videos/s", "spread", "p50 ms", "p95 ms", "p99 ms"),
        rows,
        options.output,
        details=rates,
    )


if __name__ == "__main__":
    main()
