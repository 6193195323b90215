"""What do the files of a test, its page, its media in W&B and the page of a data set cost, by the number of classes?

Random scores of three test videos of each class; each job in a process of its own. Memory is what it takes at most
beside what Python and the imports take before; seconds are those of the processor, all threads together.
Usage: python benchmarks/many_classes.py [--quick] [--classes 101 400 700 1500 3000] [--output FILE.json]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from clips import write_originals
from measuring import parser, report

VIDEOS_PER_CLASS = 3
JOBS = {
    "test": "test_confusion.png",
    "report": "report.html",
    "wandb": "test_confusion.png",
    "data browse": "data.html",
    "embedding": "embedding.png",
}
JOB = """
import json, resource, sys, time
from pathlib import Path
from types import SimpleNamespace
job, folder, K, limit = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
import numpy as np, torch
from vidcls.callbacks.result_files import ResultFiles
from vidcls.callbacks.wandb_media import log_confusion
from vidcls.cli import main
from vidcls.loading import VideoDataModule
from vidcls.datasets import VideoCsv
from vidcls.explain.feature_pictures import write_embeddings
from vidcls.explain.features import Features
from vidcls.models import SingleFrame
from vidcls.tasks.accuracies import confusion_counts
from vidcls.types import MODEL_ROW
from vidcls.training.results import VideoScores
from vidcls.types import ClipSettings
torch.set_num_threads(1)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

class WithoutAccount(SimpleNamespace):
    def log(self, content):
        self.kept = content

def scores_of(names, labels):
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(len(labels), len(names), generator=generator)
    scores[torch.arange(len(labels)), labels] += 0.6 * torch.rand(len(labels), generator=generator)
    return scores / scores.sum(dim=1, keepdim=True)

start, before = time.process_time(), peak()
if job in ("test", "wandb", "embedding"):
    data = VideoDataModule(VideoCsv(folder / "clips.csv"), num_workers=0)
    names = tuple(data.class_names)
    number_of = {name: k for k, name in enumerate(names)}
    labels = torch.tensor([number_of[record.label] for record in data.split("test")])
    scores = VideoScores(data.task, torch.arange(len(labels)), labels, {MODEL_ROW: scores_of(names, labels)})
    start = time.process_time()
if job == "test":
    model = SingleFrame(class_names=list(names), clip=ClipSettings(), backbone="small")
    scores.table()
    model.test_scores = scores
    trainer = SimpleNamespace(is_global_zero=True, datamodule=data)
    ResultFiles(folder, checkpoint=None).on_test_end(trainer, model)
elif job == "report":
    assert main(["report", str(folder)]) == 0
elif job == "wandb":
    logger = SimpleNamespace(experiment=WithoutAccount())
    predictions = scores.scores[MODEL_ROW].argmax(dim=1)
    counts = confusion_counts(labels.numpy(), predictions.numpy(), len(names))
    log_confusion(logger, "test", counts, names, step=0)
elif job == "data browse":
    assert main(["data", "browse", str(folder / "clips.csv"), "--output", str(folder / "data.html")]) == 0
elif job == "embedding":
    planes = {"PCA": np.random.rand(len(labels), 2), "t-SNE": np.random.rand(len(labels), 2)}
    features = Features({}, labels.numpy(), np.arange(len(labels)))
    write_embeddings(planes, features, names, [record.name for record in data.split("test")], folder)
print(json.dumps({"seconds": time.process_time() - start, "megabytes": peak() - before}))
"""


def write_data_set(folder: Path, num_classes: int) -> None:
    """A csv of three test videos of each class, one of training and one of validation; all are links to eight files."""
    files = write_originals(folder / "originals", num_videos=8, num_frames=8)
    lines = ["path,label,split"]
    for number in range(num_classes):
        for k, split in enumerate(("train", "val", *["test"] * VIDEOS_PER_CLASS)):
            path = folder / f"class_{number:04}" / f"{k}{files[0].suffix}"
            path.parent.mkdir(exist_ok=True)
            os.link(files[(number + k) % len(files)], path)
            lines.append(f"{path.relative_to(folder)},class_{number:04},{split}")
    (folder / "clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(job: str, folder: Path, num_classes: int, *, limit_bytes: int, limit_seconds: int) -> dict[str, float] | None:
    """Seconds and MiB of one job; None where it took more than it may."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", JOB, job, str(folder), str(num_classes), str(limit_bytes)],
            check=True,
            capture_output=True,
            text=True,
            timeout=limit_seconds,
        )
    except subprocess.TimeoutExpired:
        return None
    except subprocess.CalledProcessError as error:
        print(f"{job}, {num_classes} classes: {error.stderr.splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--classes", type=int, nargs="+", default=[101, 400, 700, 1500, 3000])
    arguments.add_argument("--jobs", nargs="+", choices=list(JOBS), default=list(JOBS))
    arguments.add_argument("--limit-gigabytes", type=float, default=8, help="of address space; more is a failure")
    arguments.add_argument("--limit-seconds", type=int, default=600)
    options = arguments.parse_args()
    rows: list[tuple[object, ...]] = []
    details: dict[str, object] = {}
    for num_classes in [40] if options.quick else options.classes:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            write_data_set(folder, num_classes)
            for job in options.jobs:
                found = run(
                    job,
                    folder,
                    num_classes,
                    limit_bytes=int(options.limit_gigabytes * 2**30),
                    limit_seconds=options.limit_seconds,
                )
                page = folder / JOBS[job]
                size = page.stat().st_size / 1e6 if page.is_file() and found is not None else "-"
                details[f"{job}, {num_classes} classes"] = found
                measured = (found["seconds"], found["megabytes"]) if found is not None else ("failed", "failed")
                rows.append((f"{job}, {num_classes:,} classes", *measured, size))
                print(*rows[-1], file=sys.stderr)
    report(
        "By the number of classes",
        ("what", "CPU seconds", "MiB", "picture or page MB"),
        rows,
        options.output,
        details=details,
    )


if __name__ == "__main__":
    main()
