"""Every command in the README runs, in its order, on videos of the shape that it speaks of."""

from __future__ import annotations

import csv
import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import torch

from vidcls.cli import main
from vidcls.video import write_video

ROOT = Path(__file__).parents[1]
NOT_RUN_HERE = (  # other tests and the Makefile's own targets run these
    "make",
    "pip",
    "vidcls demo",
    "vidcls doctor",
    "vidcls compare",
)
SMALLER = (
    "--trainer.max_epochs 1 --trainer.limit_train_batches 1 --trainer.limit_val_batches 1 --trainer.accelerator cpu "
    "--trainer.precision 32 --trainer.num_sanity_val_steps 0 --trainer.enable_progress_bar false "
    "--data.num_workers 0 --data.batch_size 2 --data.test_batch_size 2"
)
OFFLINE = {
    "--model.spatial_weights DEFAULT": "",
    "--model.temporal_weights DEFAULT": "",
    "--config finetune": "--config finetune --model.init_args.weights null",
}


def commands() -> list[str]:
    """The lines of the README's shell blocks, continued lines joined."""
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.strip()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    return folder


def run(command: str) -> int:
    """The command as this installation runs it, made small."""
    for words, instead in OFFLINE.items():
        command = command.replace(words, instead)
    if "<time>" in command:
        newest = sorted(Path("runs/two_stream").iterdir())[0]
        command = command.replace("<time>", newest.name)
    words = shlex.split(command)
    if words[:2] == ["python", "scripts/precompute_flow.py"]:
        spec = importlib.util.spec_from_file_location("precompute_flow", ROOT / "scripts" / "precompute_flow.py")
        assert spec is not None
        assert spec.loader is not None
        script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        return int(script.main([*words[2:-1], "1"]))  # ends with --workers N
    assert words[0] == "vidcls", command
    if words[1] == "fit":
        words += SMALLER.split()
    return main(words[1:])


def test_every_command_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    done = []
    for command in commands():
        if command.startswith(NOT_RUN_HERE):
            continue
        if "resnet18" in command:  # the size for a GPU: two hundred times the work of the others
            command = command.replace("resize_px 256", "resize_px 64").replace("crop_px 224", "crop_px 64")
        if "finetune" in command:
            command += " --data.clip_len 4 --data.transform.resize_px 32 --data.transform.crop_px 32"
        assert run(command) == 0, command
        done.append(command.split()[1])
    assert {"fit", "test", "predict", "explain", "summary", "scripts/precompute_flow.py"} <= set(done)


def test_the_python_example_runs(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert example is not None
    run_folder = sorted(Path("runs/two_stream").iterdir())[0]
    code = example[1].replace("<time>", run_folder.name).replace('"clip.mp4"', '"new_video.mp4"')
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - our own text
    assert any(label in capsys.readouterr().out for label in ("clap", "wave"))


def test_the_models_and_configurations_that_it_lists_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|.*?\| ((?:`[\w/]+`,? ?)+) \|", text, flags=re.MULTILINE)
    import vidcls.models

    assert listed
    for model, configurations in listed:
        assert hasattr(vidcls.models, model)
        for name in re.findall(r"`([\w/]+)`", configurations):
            assert (ROOT / "configs" / f"{name}.yaml").is_file(), name
