"""The words behind a command, read once."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidcls.cli.request import read_request
from vidcls.cli.words import Words
from vidcls.errors import ConfigurationError


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a", "", "--x"],
        ["--x", "", "b"],
        ["--seeds", "0", "1", "2", "--x=", "--y=1=2"],
        ["--bound", "-1", "-h"],
        ["--trainer.callbacks+=A", "--verify", "--config", "a.yaml"],
    ],
)
def test_they_are_given_on_as_they_came(words: list[str]) -> None:
    assert Words(words).as_given == words


def test_an_option_has_the_word_behind_it_or_what_follows_its_sign() -> None:
    words = Words(["--a", "1", "--b=2", "--a", "3", "--flag", "--c", "-5", "rest"])
    assert (words.values("--a"), words.last("--a"), words.last("--b"), words.last("--c")) == (
        ["1", "3"],
        "3",
        "2",
        "-5",
    )
    assert (words.last("--flag"), words.last("--none")) == (None, None)
    assert words.without("--a", "--c").as_given == ["--b=2", "--flag", "rest"]


def test_the_task_may_be_given_without_its_section() -> None:
    for words in (["--task", "multi_label"], ["--task=multi_label"], ["--data.task", "multi_label"]):
        assert Words(words).last("--data.task") == "multi_label"


def test_a_configuration_is_a_shipped_name_a_file_or_text(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("data: {clip_len: 3}\n")
    words = Words(["--config", "two_stream", "-c", str(tmp_path / "own.yaml"), "--data", '{"stride": 2}'])
    two_stream, own = words.contents("--config", "-c")
    assert "model" in two_stream
    assert own == {"data": {"clip_len": 3}}
    assert (words.section("data")["clip_len"], words.section("data")["stride"]) == (3, 2)
    assert words.arguments[1].endswith("two_stream.yaml")
    with pytest.raises(ConfigurationError, match="--config nowhere: no such file, and no shipped configuration"):
        assert Words(["--config", "nowhere"]).arguments


def test_a_setting_comes_from_the_option_or_from_the_last_file_that_has_it(tmp_path: Path) -> None:
    for name, text in (
        ("a", "data: {dataset: {class_path: VideoCsv, init_args: {path: x}}}"),
        ("b", "data: {fold: 1}"),
    ):
        (tmp_path / f"{name}.yaml").write_text(text + "\n")
    a, b = (str(tmp_path / f"{name}.yaml") for name in "ab")
    words = Words(["--config", a, "--config", b, "--data.init_args.stride", "2"])
    assert words.origin("data.dataset.path") == a
    assert words.origin("data.fold") == b
    assert words.origin("data.stride") == "--data.init_args.stride"
    assert words.origin("data.seed") is None


@pytest.mark.parametrize("option", ["--ckpt_path", "--run", "--name", "--config", "--data", "--ckpt_path=", "--run="])
def test_an_option_that_lost_its_value_is_refused(option: str) -> None:
    words = Words([*(["--config", "two_stream"] if option != "--config" else []), option])
    with pytest.raises(ConfigurationError, match=f"^{option.rstrip('=')}: expected one argument$"):
        read_request("fit", words)


def test_a_run_is_called_like_the_first_file_of_its_configuration() -> None:
    text = '{"trainer": {"max_epochs": 1}}'
    assert read_request("fit", Words(["--config", text, "--config", "two_stream"])).name == "two_stream"
    assert read_request("fit", Words(["--model", "vidcls.models.TwoStream", "--config", text])).name == "TwoStream"


def test_the_folder_of_all_runs_is_the_last_that_is_named() -> None:
    words = [
        "--config",
        '{"trainer": {"default_root_dir": "here"}}',
        "--config",
        '{"trainer": {"default_root_dir": null}}',
    ]
    assert read_request("fit", Words([*words, "--model", "vidcls.models.TwoStream"])).root == Path("here")
