from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vidcls.cli import main
from vidcls.errors import DatasetError
from vidcls.flow.film import PANELS, panels, write_flow_film
from vidcls.flow.settings import FlowSettings
from vidcls.video import open_video, write_video


@pytest.fixture
def moving(tmp_path: Path) -> Path:
    """9 frames of 64x80 px of a texture that moves 2 px to the right in each."""
    generator = torch.Generator().manual_seed(0)
    texture = torch.rand(3, 16, 20, generator=generator)[None]
    frame = torch.nn.functional.interpolate(texture, size=(64, 80), mode="bicubic")[0].clamp(0, 1) * 255
    path = tmp_path / "moving.mp4"
    write_video(path, torch.stack([frame.roll(2 * t, dims=-1) for t in range(9)]).to(torch.uint8), quality=1)
    return path


def test_the_panels_show_motion_to_the_right_bright_in_x_and_grey_in_y() -> None:
    field = torch.zeros(2, 24, 32)
    field[0] = 3.0
    frame = torch.full((3, 24, 32), 90, dtype=torch.uint8)
    shown = dict(zip(PANELS, panels(frame, field, bound_px=3.0), strict=True))
    assert all(picture.shape == (3, 24, 32) for picture in shown.values())
    assert shown["x"].float().mean() == 255
    assert shown["y"].float().mean() == 128
    assert torch.equal(shown["frame"], frame)
    assert not torch.equal(shown["arrows"], frame)


def test_a_film_has_a_frame_for_each_field_and_five_panels(moving: Path, tmp_path: Path) -> None:
    film, numbers = write_flow_film(moving, tmp_path / "flow.mp4", FlowSettings())
    with open_video(film) as opened:
        assert opened.num_frames == 8
        assert opened.num_frames / opened.fps == pytest.approx(3)  # .3 s of motion, slowed down
        assert (opened.info.height_px, opened.info.width_px) == (
            3 * 64 + 20,
            5 * 3 * 80 + 4 * 4,
        )  # 192 px, under the names
        x = opened.frames([4])[0, :, 20 + 48 : 20 + 144, 240 + 60 : 240 + 180].float()
    assert x.mean() > 200  # to the right, at nearly full strength
    stored = np.load(numbers)
    assert stored["fields"].shape == (6, 2, 64, 80)
    assert float(np.median(stored["fields"][:, 0])) == pytest.approx(2.0, abs=0.2)
    assert float(np.median(stored["fields"][:, 1])) == pytest.approx(0.0, abs=0.1)


def test_computed_smaller_the_vectors_are_those_of_the_video_itself(moving: Path, tmp_path: Path) -> None:
    _, numbers = write_flow_film(moving, tmp_path / "flow.png", FlowSettings(short_side_px=32))
    fields = np.load(numbers)["fields"]
    assert fields.shape[2:] == (64, 80)
    assert float(np.median(fields[:, 0])) == pytest.approx(2.0, abs=0.3)


def test_a_video_of_one_frame_has_no_flow(tmp_path: Path) -> None:
    write_video(tmp_path / "still.avi", torch.zeros(1, 3, 32, 32, dtype=torch.uint8), codec="mjpeg")
    with pytest.raises(DatasetError, match="single frame"):
        write_flow_film(tmp_path / "still.avi", tmp_path / "flow.png", FlowSettings())
    assert not (tmp_path / "flow.png").exists()


def test_the_command_writes_beside_it_and_refuses_what_cannot_be_written(
    moving: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flow", "show", str(moving), "--output", str(tmp_path / "flow.png"), "--bound", "4"]) == 0
    assert float(np.load(tmp_path / "flow.npz")["bound_px"]) == 4
    assert "flow.png" in capsys.readouterr().out
    for words, message in [
        (["--output", "flow.gif"], "allowed are"),
        (["--output", str(moving)], "one of the inputs"),
        (["--weights", "raft_small"], "no effect"),
    ]:
        assert main(["flow", "show", str(moving), *words]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.strip().splitlines()) == 1


@pytest.mark.parametrize("output", ["flow.png", "flow.mp4"])
def test_what_a_bound_that_was_given_does_not_hold_is_said(
    moving: Path, tmp_path: Path, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Motion of 2 px to the right: half of the values, those of x, are beyond 1 px, and those of y are not."""
    assert main(["flow", "show", str(moving), "--output", str(tmp_path / output), "--bound", "1"]) == 0
    first, line = capsys.readouterr().out.splitlines()
    assert (" (slowed down " in first) == output.endswith(".mp4")
    share, _, rest = line.partition(" %")
    assert 42 <= float(share) <= 55
    assert rest.startswith(" of the flow values are beyond the bound of 1 px; a bound of ")
    assert main(["flow", "show", str(moving), "--output", str(tmp_path / output), "--bound", "40"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
