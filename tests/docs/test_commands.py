"""Every command and every Python example of the README and the guide runs, on small videos."""

from __future__ import annotations

import csv
import importlib.util
import re
import shlex
import socket
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
import torch

import vidcls.models
from vidcls.cli import COMMANDS, compare, main, serve
from vidcls.compare.cost import Cost, CostRequest
from vidcls.video import write_video

ROOT = Path(__file__).parents[2]
README = "README.md"
NEEDS = {  # packages of an extra, by page
    "docs/guide/serve.md": ("fastapi", "uvicorn", "python_multipart"),
    "docs/export.md": ("onnx", "onnxscript", "onnxruntime"),
    "docs/guide/sweeps.md": ("optuna",),
    "docs/guide/recipes.md": ("onnx", "onnxscript", "onnxruntime"),
}
PAGES = [
    README,
    "docs/export.md",
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs" / "guide").glob("*.md")),
]
RUN_ELSEWHERE = {
    "vidcls sweep": "tests/cli/test_sweep_command.py",
    "vidcls demo": "tests/demo/test_main_job.py",
    "vidcls doctor": "tests/cli/test_doctor.py",
}
RUN_ELSEWHERE |= dict.fromkeys(("vidcls push", "vidcls pull"), "tests/cli/test_hub_commands.py")  # on a server
SMALL_DATA = "--data.num_workers 0 --data.batch_size 2 --data.test_batch_size 2"
SMALL_TRAINER = (
    "--trainer.limit_train_batches 1 --trainer.limit_val_batches 1 --trainer.accelerator cpu --trainer.precision 32 "
    "--trainer.num_sanity_val_steps 0 --trainer.enable_progress_bar false"
)
FEW = " ".join(f"--data.dataset.num_{part} 48" for part in ("train", "val", "test"))
# What is added to a command, by how it begins: the same work on fewer steps, without processes of its own.
SMALLER = {
    "vidcls fit": f"{SMALL_TRAINER} {SMALL_DATA} --trainer.max_epochs 1",
    "vidcls fit --run": "--trainer.max_epochs 2",
    "vidcls fit --config multi_label": " ".join(f"--data.dataset.num_{part} 49" for part in ("train", "val", "test")),
    "vidcls fit --config two_stream --data.transform.reverse": FEW,
    "vidcls fit --config two_stream --trainer early": FEW,
    "vidcls fit --config single_frame --run runs/calibrated": FEW,
    "vidcls fit --config three_stream": " ".join(f"--data.dataset.num_{part} 16" for part in ("train", "val", "test")),
    "vidcls fit --config single_frame --data video_folder --data.dataset.root s3": "--run remote",  # not the newest
    "vidcls compare --config": f"{SMALL_TRAINER} {SMALL_DATA} --max_epochs 1 --seeds 0",
    "vidcls flow --": "--num_workers 1",
    "vidcls data check": "--num_workers 1",
    "vidcls data prepare": "--num_workers 1",
    "vidcls serve": "--port 0 --num_workers 1",
    "vidcls features": "--num_workers 0",
    "vidcls export runs/two_stream": "--no_timing",  # tests/export/test_timing.py
    "vidcls export runs/both": "--num_checked 8",
    "vidcls export best m": "--no_timing",
    "vidcls export best half": "--no_timing",
    "vidcls export best small": "--no_timing --force",  # of a network that was hardly trained
    "vidcls probe": "--num_workers 0 --data.num_snippets 3 --data.transform.crop_px [64,64] --model.choice.num_folds 2 "
    "--model.choice.scales [none] --model.choice.strengths [0.01]",
    "python scripts/precompute_flow.py": "--num_workers 1",
}
# What is replaced in a command: nothing is downloaded, and frames for a GPU are two hundred times the work of others.
REPLACED = {
    "--output candidates --num_folds 5": "--output candidates --num_folds 2",
    "--model.spatial_weights DEFAULT": "",
    "--model.temporal_weights DEFAULT": "",
    "--engine ray --num_workers 2": "",  # tests/torture/kills/test_kill_cluster_nodes.py runs them on a cluster
    "--engine ray": "",
    "--source 0": "--source new_video.mp4",  # there is neither a camera nor a screen
    "--source rtsp://camera/live": "--source new_video.mp4",
    "--overlay window": "",
    "--live --allow-remote rtsp": "--live",
    "runs/both": "both",  # `best` is the newest below runs, for the pages that come later
    "runs/weighted": "weighted",
    "runs/heard": "heard",
    "runs/frozen": "frozen",
    "runs/motion": "motion",
    "resize_px 256": "resize_px 64",
    "crop_px 224": "crop_px 64",
    "hf/facebook/dinov2-small --model.weights DEFAULT": "small",
    "hf/MCG-NJU/videomae-base-finetuned-kinetics --model.weights DEFAULT": "small_3d",
    "--config finetune": "--config finetune --model.init_args.weights null --data.clip_len 4 "
    "--data.transform.resize_px 32 --data.transform.crop_px 32",
}
COST = Cost(
    num_parameters=1,
    num_multiply_adds=2,
    latency_seconds=[0.001],
    inference_seconds=[0.01],
    training_seconds=[0.02],
    training_peak_bytes=None,
    clip_shapes={"rgb": [1, 3, 1, 32, 32]},
    num_threads=1,
)


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text_of(page), flags=re.DOTALL)


def commands(page: str) -> list[str]:
    """The lines of a page's shell blocks, continued lines joined and comments removed."""
    lines = "\n".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
    return [" ".join(line.partition("  #")[0].split()) for line in lines if line.strip()]


class Shell:
    """Runs commands in one folder, each once, as this installation runs them and made small."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: set[str] = set()

    def __call__(self, command: str) -> int:
        if command in self.done or command.startswith(tuple(RUN_ELSEWHERE)):
            return 0
        self.done.add(command)
        small = command
        for words, instead in REPLACED.items():
            small = small.replace(words, instead)
        small += "".join(f" {words}" for start, words in SMALLER.items() if command.startswith(start))
        program, *words = shlex.split(small)
        if program == "make":
            return 0 if re.search(rf"^{words[0]}:", text_of("Makefile"), flags=re.MULTILINE) else 2
        if program == "source":
            return 0 if f"VENV := {words[0].partition('/')[0]}\n" in text_of("Makefile") else 2
        if program == "pip":
            return 0 if words[:2] == ["install", "-c"] and (ROOT / words[2]).is_file() else 2
        if program == "python":
            return script_main(words[0])(words[1:])
        if words[0] == "serve":
            return serve.main(words[1:], run=answered_once)
        if words[0] == "compare":
            return compare.main(words[1:], execute=executed_here, measure=free_of_charge)
        return main(words) if program == "vidcls" else 2


def script_main(name: str) -> Callable[[list[str]], int]:
    spec = importlib.util.spec_from_file_location(Path(name).stem, ROOT / name)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    found: Callable[[list[str]], int] = script.main
    return found


def executed_here(words: Sequence[str], log: Path) -> int:
    """A step of a comparison in this process; its own processes are tested with the command."""
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        status = main(list(words))
    log.write_text(said.getvalue(), encoding="utf-8")
    return status


def answered_once(app: object, listener: socket.socket, *, grace_seconds: float, started: Callable[[], object]) -> None:
    """A server that answers once, in place of one that answers until a signal."""
    started()
    from vidcls.serve.server import running

    with running(app, listener, grace_seconds=grace_seconds) as url, urllib.request.urlopen(f"{url}/health") as answer:  # type: ignore[arg-type]
        assert answer.status == 200


def free_of_charge(request: CostRequest) -> Cost:
    assert Path(request.checkpoint).is_file()
    return COST


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    folder = tmp_path_factory.mktemp("readme")
    generator = torch.Generator().manual_seed(0)
    rows = []
    for label in ("clap", "wave"):
        for number in range(12):
            path = folder / "my_videos" / label / f"{number:02}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            frames = torch.randint(0, 255, (14, 3, 64, 80), generator=generator, dtype=torch.uint8)
            write_video(path, frames)
            rows.append({"path": path.relative_to(folder), "label": label, "group": f"person{number % 6}"})
    (folder / "new_video.mp4").write_bytes((folder / "my_videos" / "wave" / "00.mp4").read_bytes())
    with (folder / "clips.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=["path", "label", "group"])
        writer.writeheader()
        writer.writerows(rows)
    several = {"clap": "clap|sit", "wave": "wave", "none": ""}
    lines = [f"{row['path']},{several['none' if n % 6 == 5 else str(row['label'])]}" for n, row in enumerate(rows)]
    (folder / "labels.csv").write_text("\n".join(["path,label", *lines, ""]))
    return Shell(folder)


@pytest.fixture
def here(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The shell in its folder, after the commands of the README, on whose training the guide builds."""
    monkeypatch.chdir(shell.folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shell.folder / "cache"))
    for command in commands(README):
        assert shell(command) == 0, command
    return shell


@pytest.fixture
def bucket(here: Shell, request: pytest.FixtureRequest) -> None:
    """For the page about addresses: what the others have in the folder, on a server."""
    page = request.node.callspec.params["page"]
    if "s3://my-bucket" not in text_of(page):
        return
    s3 = request.getfixturevalue("s3")
    client = s3.client()
    client.create_bucket(Bucket="my-bucket")
    checkpoint = max(here.folder.glob("runs/**/best.ckpt"), key=lambda file: file.stat().st_mtime)
    for file in (here.folder / "my_videos").rglob("*.mp4"):
        client.upload_file(str(file), "my-bucket", file.relative_to(here.folder).as_posix())
    client.upload_file(str(checkpoint), "my-bucket", "best.ckpt")


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("page", PAGES)
def test_every_command_runs(page: str, here: Shell) -> None:
    for package in NEEDS.get(page, ()):
        pytest.importorskip(package, reason="needs the extra of the page")
    for command in commands(page):
        assert here(command) == 0, command


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_every_python_example_runs(page: str, here: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    for example in blocks(page, "python"):
        exec(compile(example, page, "exec"), {})  # noqa: S102 - our own text
        said = capsys.readouterr().out
        if "print(" in example:
            assert any(label in said for label in ("clap", "wave"))


@pytest.mark.parametrize("page", PAGES)
def test_a_command_within_a_sentence_has_no_arguments_and_exists(page: str) -> None:
    """One with arguments belongs in a block of its own, where it is run."""
    prose = re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL)
    for command in re.findall(r"`(vidcls [^`]*)`", prose):
        words = command.split()[1:]
        assert words[0] in COMMANDS, command
        assert words[1:] in ([], ["--help"], ["--config"], ["show"], ["check"], ["browse"], ["prepare"], ["export"]), (
            command
        )


def test_together_they_show_every_command() -> None:
    shown = {command.split()[1] for page in PAGES for command in commands(page) if command.startswith("vidcls ")}
    assert shown == {name.split()[0] for name in COMMANDS}


def test_what_is_run_by_another_test_has_one() -> None:
    for command, test in RUN_ELSEWHERE.items():
        assert any(each.startswith(command) for page in PAGES for each in commands(page))
        assert command.split()[1] in (ROOT / test).read_text(encoding="utf-8")


def test_the_models_and_configurations_that_they_list_exist() -> None:
    listed = re.findall(
        r"^\| `(\w+)` \|.*?\| ((?:`[\w/]+`,? ?)+) \|", text_of("docs/guide/train.md"), flags=re.MULTILINE
    )
    models = {
        name
        for name, model in vars(vidcls.models).items()
        if isinstance(model, type)
        and issubclass(model, vidcls.models.VideoClassifier)
        and model is not vidcls.models.VideoClassifier
    }
    assert {model for model, _ in listed} == models
    assert set(re.findall(r"^\| `([A-Z]\w+)` \|", text_of(README), flags=re.MULTILINE)) == models
    for _, configurations in listed:
        for name in re.findall(r"`([\w/]+)`", configurations):
            assert (ROOT / "configs" / f"{name}.yaml").is_file(), name
