"""One network asked in every way, as loaded and as a trainer feeds it, in any precision."""

from __future__ import annotations

import pytest
import torch
from every_model import MODELS, small
from torch import Tensor, nn

from vidcls.clips import InputSettings
from vidcls.flow import FlowSettings
from vidcls.inference import HasParts, NetworkInput, Scorer
from vidcls.inference.features import LOGITS, backbones_of
from vidcls.inference.scorer import row_logits
from vidcls.models import Probe, VideoClassifier
from vidcls.models.input_shapes import input_shapes
from vidcls.tasks import SingleLabel
from vidcls.types import RGB, ClipSettings, Stream

CLASSES = ["left", "right", "still"]
CLIP = ClipSettings(num_snippets=2, clip_len=4, flow_len=3)
SETTINGS = InputSettings(("rgb", "flow", "audio"), clip=CLIP, flow_settings=FlowSettings())


class Counts(nn.Module):
    """Logits that are the mean brightness, less in every further class; a network of no package."""

    task = SingleLabel("abc")
    streams: tuple[Stream, ...] = (RGB,)

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, 0.5, 0.25]))

    def forward(self, rgb: Tensor) -> Tensor:
        return rgb.flatten(1).mean(dim=1, keepdim=True) * self.weight


@pytest.fixture(params=MODELS, ids=lambda model_class: model_class.__name__)
def model(request: pytest.FixtureRequest) -> VideoClassifier:
    torch.manual_seed(0)
    return small(request.param, CLASSES, CLIP).eval()


def loaded(streams: tuple[Stream, ...], *leading: int) -> dict[str, Tensor]:
    """Streams as a loader hands them over."""
    generator = torch.Generator().manual_seed(0)
    found: dict[str, Tensor] = {}
    for stream, (_, *shape) in zip(streams, input_shapes(streams, CLIP, 24), strict=True):
        found[stream.name] = (
            torch.randint(256, (*leading, *shape), dtype=torch.uint8, generator=generator)
            if stream.kind == "rgb"
            else torch.randn(*leading, *shape, generator=generator)
        )
    return found


@torch.inference_mode()
def test_a_batch_as_loaded_has_the_scores_of_what_the_network_is_fed(model: VideoClassifier) -> None:
    batch = loaded(model.streams, 2, 3)
    fed = NetworkInput(SETTINGS)(batch)
    by_loaded, by_fed = Scorer.of(model, SETTINGS).videos(batch), Scorer(model).videos(fed)
    assert by_loaded.keys() == by_fed.keys()
    assert all(torch.equal(by_loaded[row], by_fed[row]) for row in by_fed)
    assert torch.equal(by_fed["model"], model.scorer.videos(fed)["model"])


@torch.inference_mode()
def test_rows_are_the_network_its_parts_and_its_fusions_each_asked_alone_too(model: VideoClassifier) -> None:
    scorer, batch = Scorer.of(model, SETTINGS), loaded(model.streams, 2)
    parts = model.parts if isinstance(model, HasParts) else ()
    rows = scorer.logits(batch)
    assert tuple(rows) == ("model", *parts)
    assert set(scorer.logits(batch, fusions=True)) >= set(rows)
    for row, logits in rows.items():
        assert torch.equal(logits, row_logits(model, row, *scorer.fed(batch)))
        assert torch.equal(scorer.clips(batch)[row], logits.softmax(dim=-1))


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_network_of_another_precision_is_asked_in_its_own_and_answers_in_float32(
    model: VideoClassifier, dtype: torch.dtype
) -> None:
    batch = loaded(model.streams, 2, 2)
    exact = Scorer.of(model, SETTINGS).videos(batch)
    scorer = Scorer.of(model.to(dtype), SETTINGS)
    assert {stream.dtype for stream in scorer.fed(batch)} == {dtype}
    scores = scorer.videos(batch)
    assert {row.dtype for row in scores.values()} == {torch.float32}
    torch.testing.assert_close(scores["model"], exact["model"], atol=0.05, rtol=0)
    assert scorer.features({name: values[:, 0] for name, values in batch.items()})


@torch.inference_mode()
@pytest.mark.parametrize("rule", ["probabilities", "logits"])
def test_the_views_of_a_video_may_be_asked_a_few_at_a_time(rule: str) -> None:
    settings = InputSettings(("rgb",), score=rule)  # type: ignore[arg-type]
    scorer, views = Scorer.of(Counts(), settings), {"rgb": loaded((RGB,), 5)["rgb"]}
    whole = scorer.videos({"rgb": views["rgb"][None]})["model"][0]
    for batch_views in (1, 2, 5, 9):
        torch.testing.assert_close(scorer.video(views, batch_views=batch_views)["model"], whole)


@torch.inference_mode()
def test_features_are_a_vector_a_video_from_every_stage_and_leave_no_hook(model: VideoClassifier) -> None:
    scorer, batch = Scorer.of(model, SETTINGS), loaded(model.streams, 2)
    found = scorer.features(batch)
    assert list(found)[-1] == LOGITS
    num_stages = sum(len(backbone.stages) for backbone in backbones_of(model).values())
    if isinstance(model, Probe):  # what lies behind the levels that its heads use is not computed
        encoders = [each.encoder for each in model.encoders.values()]
        num_stages = sum(max(map(own.backbone.stage_names.index, own.levels)) + 1 for own in encoders)
    assert len(found) == 1 + num_stages
    assert all(values.shape[0] == 2 and values.ndim == 2 for values in found.values())
    assert torch.equal(found[LOGITS], scorer.logits(batch)["model"])
    assert not any(module._forward_hooks for module in model.modules())
