"""What is secret on the machine of a training is in none of its files: keys, tokens, passwords in addresses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SECRETS = {
    "WANDB_API_KEY": "a1b2c3d4" * 5,
    "HF_TOKEN": "hf_secretsecretsecret",
    "AWS_SECRET_ACCESS_KEY": "awssecretawssecretaws",
    "MY_PASSWORD": "mypasswordmypassword",
}
IN_ADDRESS = "ghp_tokentokentokentoken"


@pytest.fixture(scope="module")
def folder(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training and its test with W&B offline, in a repository whose remote has a token in its address."""
    folder = tmp_path_factory.mktemp("secrets")
    content = yaml.safe_load(tiny.read_text())
    content["trainer"] |= {"max_epochs": 1, "logger": {"class_path": "vidcls.callbacks.WandbRun"}}
    (folder / "mine.yaml").write_text(yaml.safe_dump(content))
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (
        ["init", "-q"],
        ["remote", "add", "origin", f"https://{IN_ADDRESS}:x-oauth-basic@example.com/a/b.git"],
        ["add", "mine.yaml"],
        ["commit", "-qm", "first"],
    ):
        subprocess.run([*git, *words], cwd=folder, check=True)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        patch.setenv("WANDB_MODE", "offline")
        program = [sys.executable, "-P", "-c", "from vidcls.cli import entry; entry()"]
        for words in (["fit", "--config", "mine.yaml", "--run", "run"], ["test", "--run", "run"]):
            done = subprocess.run([*program, *words], cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            (folder / f"{words[0]}.log").write_text(done.stdout + done.stderr)
    return folder


def test_no_secret_is_in_any_file_of_the_run(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts]
    names = {path.name for path in files}
    assert {"best.ckpt", "config.yaml", "run.json", "metrics.csv", "test.json", "fit.log", "test.log"} <= names
    assert any(name.endswith(".wandb") for name in names)
    for path in files:
        content = path.read_bytes()
        for secret in (*SECRETS.values(), IN_ADDRESS):
            assert secret.encode() not in content, path
