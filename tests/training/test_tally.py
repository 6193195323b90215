"""What a test finds batch by batch is what it would find at once, on one process or on several."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vidcls.errors import DecodeError
from vidcls.inference.view_scores import video_scores
from vidcls.tasks import SingleLabel
from vidcls.training.tally import ScoreTally
from vidcls.types import Batch

TASK = SingleLabel("abc")


def scores_by_view(indices: list[int]) -> dict[str, Tensor]:
    """Probabilities ``(B, 2, 3)`` of two views; the first view of video k is sure of class k % 3, the second of a."""
    first = torch.eye(3)[torch.tensor(indices) % 3]
    second = torch.eye(3)[torch.zeros(len(indices), dtype=torch.int64)]
    by_view = torch.stack([first * 0.6 + 0.1, second * 0.3 + 0.2], dim=1)
    return {"model": by_view, "spatial": by_view.flip(-1)}


def batch_of(indices: list[int], unread: tuple[tuple[int, int, str], ...] = ()) -> Batch:
    batch = Batch(index=torch.tensor(indices), label=torch.tensor(indices) % 3)
    if unread:
        batch["unread"] = unread
    return batch


def tally_of(*batches: list[int]) -> ScoreTally:
    tally = ScoreTally(TASK, ("spatial",))
    for indices in batches:
        by_view = scores_by_view(indices)
        tally.add(batch_of(indices), by_view["model"], {row: values.mean(dim=1) for row, values in by_view.items()})
    return tally


def test_batches_are_joined_in_the_order_of_the_list() -> None:
    tally = tally_of([4, 1], [0, 3, 2])
    tally.add_unread(batch_of([], unread=((5, 2, "five.mp4: no frames"),)))
    found = tally.total(1)
    assert found.indices.tolist() == [0, 1, 2, 3, 4, 5]
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 2]
    torch.testing.assert_close(found.scores["model"][1], torch.tensor([0.3, 0.45, 0.15]))
    assert found.scores["model"][5, 2] == 0  # the video that could not be read is wrong
    assert found.parts == ("spatial",)
    assert found.views_right is not None
    assert found.views_right.shape == (6, 2)
    assert [video.reason for video in found.unread] == ["five.mp4: no frames"]


def test_every_process_adds_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = [tally_of([0, 2]), tally_of([3], [1])]

    def gather(into: list[object], mine: object) -> None:
        assert mine == (processes[1]._shards, processes[1]._unread)
        into[:] = [(tally._shards, tally._unread) for tally in processes]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    alone, together = tally_of([0, 1, 2, 3]).total(1), processes[1].total(2)
    assert together.indices.tolist() == alone.indices.tolist()
    assert all(torch.equal(together.scores[row], alone.scores[row]) for row in ("model", "spatial"))


def test_a_test_that_could_read_nothing_names_the_first_file() -> None:
    tally = ScoreTally(TASK, ())
    tally.add_unread(batch_of([], unread=((0, 0, "none.mp4: no frames"),)))
    with pytest.raises(DecodeError, match="none"):
        tally.total(1)


def test_where_logits_are_averaged_the_scores_are_the_softmax_of_their_mean() -> None:
    tally = ScoreTally(TASK, (), "logits")
    logits = torch.tensor([[[9.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 3.0, 0.0]]])  # (1, 3, 3)
    tally.add(batch_of([1]), logits, {"model": video_scores(logits, "logits", TASK)})
    found = tally.total(1)
    assert torch.equal(found.scores["model"][0], torch.tensor([3.0, 2.0, 0.0]).softmax(dim=-1))
    assert float(found.scores["model"].sum()) == pytest.approx(1.0)
    assert found.views_right is not None
    assert found.views_right.tolist() == [[True, False, False]]  # the middle; the first and the last; all
