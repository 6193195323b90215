"""What an exported file says of itself: written, read back, and refused in one line where it is not understood."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from vidcls.clips.settings import InputSettings
from vidcls.errors import CheckpointError
from vidcls.flow.settings import FlowSettings
from vidcls.model_file import FORMAT, ModelFacts
from vidcls.tasks.decision import NO_DECISION, Decision
from vidcls.transforms.settings import TransformSettings
from vidcls.types import ClipSettings, Stream

FACTS = ModelFacts(
    model="TwoStream",
    class_names=("left", "right", "größer"),
    input=InputSettings(
        ("rgb", Stream("fast", "flow", every=2)),  # type: ignore[arg-type]
        ClipSettings(3, 2, 1, 4),
        stride_seconds=0.1,
        short_videos="last",
        transform=TransformSettings(
            resize_px=None, crop_px=(48, 64), test_crops=3, flip_label_swaps={"left": "right"}, flow_std_px=2
        ),
        test_clips=4,
        flow_settings=FlowSettings("farneback", 8, 96, decoder="pyav"),
        decoder="pyav",
        score="logits",
    ),
    rows=("model", "spatial", "temporal"),
    precision="fp16",
    fixed={"T": 6, "height": 48, "width": 64},
    checkpoint={"digest": "abc", "run": "runs/two_stream/now"},
    results={"top1": 0.5},
    decision=Decision({"model": 1.5}, 0.4, thresholds=(0.5, 0.3, 0.6), num_videos=12),
    vidcls="0.1.0",
)


def changed(**entries: object) -> str:
    return json.dumps({**json.loads(FACTS.to_json()), **entries})


def of_input(**entries: object) -> str:
    return changed(input={**FACTS.input.to_dict(), **entries})


def test_facts_are_read_back_as_they_were_written() -> None:
    assert ModelFacts.from_json(FACTS.to_json(), "m.onnx") == FACTS
    assert ModelFacts.from_json(FACTS.to_json().encode(), "m.onnx") == FACTS
    plain = json.loads(FACTS.to_json())
    assert (plain["format"], plain["score"], plain["vidcls"]) == (FORMAT, "logits", "0.1.0")
    assert json.loads(replace(FACTS, vidcls="").to_json())["vidcls"]  # the version that writes it
    del plain["decision"]  # as before it was kept
    assert ModelFacts.from_json(json.dumps(plain), "m.onnx") == replace(FACTS, decision=NO_DECISION)


def test_class_names_of_odd_bytes_are_read_back() -> None:
    """Folders may be called by any bytes, and a file's metadata is Unicode."""
    odd = replace(FACTS, class_names=("left", "gr\udcf6\udcdfer", "größer"))
    assert ModelFacts.from_json(odd.to_json().encode(), "m.onnx") == odd
    assert "größer" in FACTS.to_json()


def test_settings_of_an_input_are_read_back_by_their_types_alone() -> None:
    assert InputSettings.from_dict(json.loads(json.dumps(FACTS.input.to_dict()))) == FACTS.input


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"^m\.onnx: does not say how a video becomes its input: it was not written by vidcls export"),
        (
            changed(format=99, vidcls="9.0"),
            r"^m\.onnx: has the format 99 of vidcls '9\.0', and this vidcls reads up to",
        ),
        ("{", r"m\.onnx: what it says of its model is not understood .*: export it again with vidcls export"),
        ("[]", "expected an object, got list"),
        (changed(format="1"), "its format is '1'; it must be an integer"),
        (changed(class_names=["a", "a"]), "the class name 'a' stands twice"),
        (changed(rows=["spatial"]), "model first"),
        (changed(score="votes"), "score is 'votes'; allowed are probabilities, logits"),
        (changed(score="probabilities"), "score is probabilities, but its input averages logits"),
        (changed(input={}), "it has no 'streams'"),
        (changed(input={**FACTS.input.to_dict(), "test_clips": "4"}), "test_clips must be int, got '4'"),
        (
            changed(input={**FACTS.input.to_dict(), "clips": 4}),
            "settings have no 'clips': allowed are audio_seconds, clip, decoder",
        ),
        (changed(input={**FACTS.input.to_dict(), "decoder": "vlc"}), "decoder is 'vlc'; allowed are decord"),
        (changed(input={**FACTS.input.to_dict(), "transform": {"crop_px": [1, 2, 3]}}), "transform.crop_px must be"),
        (changed(input={**FACTS.input.to_dict(), "transform": {"class_path": "os.system"}}), "have no 'class_path'"),
        (changed(fixed=[1]), "fixed must be names with values, got list"),
        (changed(fixed={"T": float("inf")}), "fixed must be integers of at least 1"),
        (changed(fixed={"T": "6"}), "fixed must be integers of at least 1"),
        (changed(format=10**400), r"has the format 1[0]{39} of"),
        (of_input(stride_seconds=float("nan")), "stride_seconds must be a finite number, got nan"),
        (of_input(stride_seconds=10**400), "stride_seconds must be a finite number, got 1000"),
        (of_input(stride_seconds=-1), "stride_seconds must be above 0, got -1"),
        (of_input(test_clips=10**9), "test_clips must lie in 1 to 10000, got 1000000000"),
        (of_input(clip_len=10**9), "clip_len must lie in 1 to 100000, got 1000000000"),
        (of_input(transform={"resize_px": 10**6}), "resize_px must be at most 16384, got 1000000"),
        (of_input(transform={"crop_px": 10**6, "stretch": True}), "crop_px must lie in 1 to 16384, got 1000000"),
        (of_input(transform={"rgb_mean": [float("nan")] * 3}), "transform.rgb_mean must be a finite number, got nan"),
    ],
)
def test_what_is_not_understood_is_one_line_with_the_file_and_what_to_do(text: str | None, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        ModelFacts.from_json(text, "m.onnx")
    assert "\n" not in str(caught.value)
