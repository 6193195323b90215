"""A model goes to the Hugging Face Hub and comes back: the same weights, a card, and nothing of the videos."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import yaml
from hub_server import HubServer, hub_server

huggingface_hub = pytest.importorskip("huggingface_hub", reason="needs the extra hub")

Command = Callable[..., object]
NAME = "me/moving-squares"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A Hub of this machine, an empty cache, and a token to send."""
    from huggingface_hub import constants

    with hub_server() as server:
        server.token = "hf_test"
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", "hf_test")
        monkeypatch.setenv("NO_PROXY", "*")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        yield server


def front_matter(card: str) -> dict[str, object]:
    return yaml.safe_load(card.split("---")[1])


def test_a_model_is_pushed_pulled_and_answers_as_before(
    vidcls: Command, hub: HubServer, run: Path, tmp_path: Path, clip_folder: Path
) -> None:
    assert vidcls("test", "--run", run).status == 0
    pushed = vidcls("push", run, NAME, "--license", "apache-2.0", "--dataset", "Moving squares", "--private")
    assert (pushed.status, hub.private) == (0, {NAME})
    files = hub.repositories[NAME]
    assert set(files) == {
        *("README.md", "checkpoints/best.ckpt", "model.safetensors", "curves.png", "test_confusion.png")
    }
    assert not any(str(clip_folder).encode() in content for content in files.values())

    card = files["README.md"].decode()
    facts = front_matter(card)
    assert (facts["license"], facts["pipeline_tag"], facts["library_name"]) == (
        *("apache-2.0", "video-classification"),
        "vidcls",
    )
    ((result,),) = [[each] for each in facts["model-index"][0]["results"]]
    tested = json.loads((run / "test.json").read_text())
    by_name = {metric["name"]: metric for metric in result["metrics"]}
    assert by_name["top-1"]["value"] == pytest.approx(tested["table"]["model"]["top1"], abs=1e-4)
    low, high = tested["intervals"]["top1"]
    assert by_name["top-1"]["args"] == {"confidence": 0.95, "low": round(low, 4), "high": round(high, 4)}
    assert "95 % interval" in card

    video = next(clip_folder.rglob("*.avi"))
    expected = vidcls("predict", run, video).out
    address = ("hf://me/moving-squares", video, "--allow-remote", "hf")
    assert vidcls("predict", *address).out == expected
    assert vidcls("pull", NAME).status == 0
    assert vidcls("predict", "moving-squares", video).out == expected
    hub.close()  # what was fetched is used without a network too
    assert vidcls("predict", *address).out == expected


def test_safetensors_hold_the_weights_and_say_what_they_are_of(
    vidcls: Command, run: Path, tmp_path: Path, clip_folder: Path
) -> None:
    from safetensors import safe_open

    assert vidcls("push", run, NAME, "--output", "folder", "--with_run").status == 0
    assert {"config.yaml", "run.json", "README.md"} <= {path.name for path in (tmp_path / "folder").iterdir()}
    expected = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    with safe_open(tmp_path / "folder" / "model.safetensors", "pt") as file:
        assert all(torch.equal(file.get_tensor(key), value) for key, value in expected["state_dict"].items())
        about = json.loads(file.metadata()["vidcls"])
    assert about["class_names"] == list(expected["vidcls"]["class_names"])
    assert vidcls("predict", "folder", next(clip_folder.rglob("*.avi"))).status == 0


def test_no_folder_of_the_machine_is_published(vidcls: Command, run: Path, tmp_path: Path, clip_folder: Path) -> None:
    checkpoint = run / "checkpoints" / "best.ckpt"
    content = torch.load(checkpoint, weights_only=True)
    content["hyper_parameters"] |= {"weights": "/home/somebody/secret/first.pt"}
    content["vidcls"]["input"]["somewhere"] = ["hf//home/somebody/secret/dinov2"]
    (tmp_path / "own").mkdir()
    torch.save(content, tmp_path / "own" / "best.ckpt")
    assert vidcls("push", "own/best.ckpt", NAME, "--output", "folder").status == 0
    for path in (tmp_path / "folder").rglob("*"):
        if path.suffix == ".ckpt":
            read = torch.load(path, weights_only=True)
            assert read["hyper_parameters"]["weights"] == "first.pt"
            assert read["vidcls"]["input"]["somewhere"] == ["hf/dinov2"]
            assert read["vidcls"]["class_names"] == content["vidcls"]["class_names"]
        assert path.is_dir() or b"somebody" not in path.read_bytes(), path
    assert "first.pt" in (tmp_path / "folder" / "README.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pull", "no_name"), "no_name: is no name on the Hub: expected user/model or user/model@revision"),
        (("pull", "me/nothing"), "hf://me/nothing: there is no such repository, or it is private"),
        (("pull", "me/empty"), "hf://me/empty: holds no model of vidcls"),
        (("pull", "me/empty@v9"), "hf://me/empty@v9: it has no such revision"),
        (("predict", "hf://me/empty", "a.avi"), "is an address, and none is read without permission"),
        (("push", "nowhere", "me/x"), "nowhere: no such file or folder"),
        (("push", "best", "x"), "x: is no name on the Hub"),
    ],
)
def test_a_mistake_is_one_line(vidcls: Command, hub: HubServer, words: tuple[str, ...], message: str) -> None:
    hub.repositories["me/empty"] = {"README.md": b"empty", "evil.py": b"raise SystemExit"}
    assert message in vidcls(*words).refusal()


def test_a_wrong_login_and_no_network_are_one_line(
    vidcls: Command, hub: HubServer, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    assert f"hf://{NAME}: " in vidcls("push", run, NAME).refusal()
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert f"hf://{NAME}: the Hub cannot be asked: " in vidcls("pull", NAME).refusal()


def test_only_files_that_are_pushed_are_pulled(vidcls: Command, hub: HubServer, run: Path, tmp_path: Path) -> None:
    assert vidcls("push", run, NAME).status == 0
    hub.repositories[NAME] |= {"evil.py": b"raise SystemExit", "checkpoints/evil.py": b"raise SystemExit"}
    assert vidcls("pull", NAME, "model").status == 0
    found = {str(path.relative_to(tmp_path / "model")) for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert found == {"README.md", "checkpoints/best.ckpt", "model.safetensors", "curves.png"}
    assert "model: already exists" in vidcls("pull", NAME, "model").refusal()
