"""Encoders of transformers against transformers itself, with tiny random weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hub_models import CLASSIFIERS, ENCODERS, VIDEO, logits_of, saved
from torch import Tensor

from vidcls.errors import CheckpointError, ConfigurationError, MissingExtraError
from vidcls.hub_models import settings_of, settings_that_travel
from vidcls.layers import Backbone, build_backbone, build_backbone_3d, is_3d
from vidcls.layers.backbones.made_for import input_of
from vidcls.layers.read_outs import GlobalAverage
from vidcls.models import EarlyFusion, SlowFusion
from vidcls.types import ClipSettings
from vidcls.video.sampling import segment_clips, uniform_views

transformers = pytest.importorskip("transformers", reason="the extra transformers is not installed")


def _clips(family: str, *, side_px: int = 32) -> Tensor:
    time = (4,) if family in VIDEO else ()
    return torch.randn(2, 3, *time, side_px, side_px, generator=torch.Generator().manual_seed(1))


def _build(name: str, **how: Any) -> Backbone:
    return (build_backbone_3d if is_3d(name) else build_backbone)(name, **how).eval()


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_features_and_classifier_give_the_logits_of_transformers(family: str, tmp_path: Path) -> None:
    name, network = saved(tmp_path / family, CLASSIFIERS[family])
    backbone = _build(name, weights="DEFAULT")
    x = _clips(family)
    with torch.no_grad():
        features = backbone(x)
        logits = network.classifier(features)
        expected = logits_of(network, family)(x).flatten(1)
    assert features.shape == (2, backbone.num_features)
    assert float(expected.std()) > 0.01
    assert float((logits - expected).abs().max()) <= 1e-5
    assert (backbone.input_len is not None) == is_3d(name) == (family in VIDEO)
    own = sum(p.numel() for p in backbone.parameters())
    assert own <= sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("family", CLASSIFIERS)
def test_every_stage_gives_maps_and_the_last_ones_are_the_last_hidden_states(family: str, tmp_path: Path) -> None:
    name, network = saved(tmp_path / family, CLASSIFIERS[family])
    backbone = _build(name, weights="DEFAULT")
    x = _clips(family)
    num_times = {"videomae": 2, "vjepa2": 2, "timesformer": 4, "vivit": 2, "videoprism": 4}
    grid = (num_times[family], 4, 4) if family in VIDEO else (4, 4)
    with torch.no_grad():
        levels = backbone.levels(x, backbone.stage_names)
        maps = backbone.maps(x)
    num_layers = 4 if family == "videoprism" else 2
    assert backbone.stage_names == ("patches", *(f"layer{k}" for k in range(1, num_layers + 1)))
    assert all(level.shape == (2, 32, *grid) for level in levels)
    assert torch.equal(maps, levels[-1])
    assert all(shape == (32, *grid) for shape in backbone.shapes(x.shape[1:], names=backbone.stage_names).values())
    base = next(
        module for key, module in network.named_children() if key not in ("classifier", "fc_norm", "pooler", "head")
    )
    inputs = x.transpose(1, 2) if family in VIDEO else x
    more = {"skip_predictor": True} if family == "vjepa2" else {}
    with torch.no_grad():
        hidden = base(inputs, **more).last_hidden_state
    num_others = {"vit": 1, "dinov2": 1, "dinov2_with_registers": 4, "clip": 1, "timesformer": 1, "vivit": 1}
    places = hidden[:, num_others.get(family, 0) :]
    if family == "timesformer":  # the times of a place follow each other there
        places = places.unflatten(1, (16, 4)).transpose(1, 2).flatten(1, 2)
    assert float((maps.flatten(2).transpose(1, 2) - places).abs().max()) <= 1e-5


@pytest.mark.parametrize("family", ENCODERS)
def test_weights_without_a_classifier_give_what_the_network_pools(family: str, tmp_path: Path) -> None:
    name, network = saved(tmp_path / family, ENCODERS[family])
    backbone, x = _build(name, weights="DEFAULT"), _clips(family)
    with torch.no_grad():
        assert float((backbone(x) - network(x).pooler_output).abs().max()) <= 1e-5


def test_the_vision_tower_of_a_model_of_pictures_and_text_is_taken(tmp_path: Path) -> None:
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    vision = CLASSIFIERS["clip"][2]["vision_config"]
    for kind in ("CLIP", "Siglip"):
        table = (f"{kind}Model", f"{kind}Config", {"vision_config": vision, "text_config": text})
        name, network = saved(tmp_path / kind, table)
        backbone, x = _build(name, weights="DEFAULT"), _clips("clip")
        with torch.no_grad():
            expected = network.vision_model(x).pooler_output
            assert float((backbone(x) - expected).abs().max()) <= 1e-5


def test_siglip2_of_any_shape_sees_what_its_own_processor_makes_of_a_picture(tmp_path: Path) -> None:
    settings = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    table = ("Siglip2VisionModel", "Siglip2VisionConfig", {**settings, "patch_size": 8, "num_patches": 16})
    name, network = saved(tmp_path / "s", table)
    backbone = _build(name, weights="DEFAULT")
    x = torch.randn(1, 3, 24, 40)
    rows = x.unflatten(2, (3, 8)).unflatten(4, (5, 8)).permute(0, 2, 4, 3, 5, 1).reshape(1, 15, 192)
    with torch.no_grad():
        expected = network(rows, torch.ones(1, 15), torch.tensor([[3, 5]])).pooler_output
        assert float((backbone(x) - expected).abs().max()) <= 1e-5


@pytest.mark.parametrize("family", ["vit", "dinov2", "clip", "siglip"])
def test_an_encoder_of_frames_takes_other_sizes_as_transformers_does(family: str, tmp_path: Path) -> None:
    name, network = saved(tmp_path / family, CLASSIFIERS[family])
    backbone, x = _build(name, weights="DEFAULT"), _clips(family, side_px=48)
    how = {} if family == "dinov2" else {"interpolate_pos_encoding": True}
    with torch.no_grad():
        expected = network(x, **how).logits
        assert float((network.classifier(backbone(x)) - expected).abs().max()) <= 1e-5
    with pytest.raises(ConfigurationError, match=r"takes frames of at least 8x8, got 4x4: raise transform\.crop_px"):
        backbone(x[:, :, :4, :4])


@pytest.mark.parametrize("family", ["videomae", "vjepa2", "timesformer", "vivit"])
def test_an_encoder_of_clips_refuses_sizes_that_do_not_fit_in_one_line(family: str, tmp_path: Path) -> None:
    name, _ = saved(tmp_path / family, CLASSIFIERS[family])
    backbone, x = _build(name), _clips(family)
    with pytest.raises(ConfigurationError, match=r"takes frames of 32x32, got 48x48: set transform\.crop_px to 32"):
        backbone(_clips(family, side_px=48))
    with pytest.raises(ConfigurationError, match=r"takes clips of .* got 3: (set|change) clip_len"):
        backbone(x[:, :, :3])


def test_a_network_without_weights_is_random_and_that_with_a_checkpoint_is_not(tmp_path: Path) -> None:
    name, _ = saved(tmp_path / "v", CLASSIFIERS["videomae"])
    first, other = _build(name, weights="DEFAULT"), _build(name)
    assert not torch.equal(first.stem.weight, other.stem.weight)
    state = {f"backbone.{key}": value for key, value in first.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "own.ckpt")
    x = _clips("videomae")
    with torch.no_grad():
        assert torch.equal(_build(name, weights=str(tmp_path / "own.ckpt"))(x), first(x))
    with pytest.raises(ValueError, match="use DEFAULT, the path of a file, or null"):
        _build(name, weights="KINETICS")


@pytest.mark.parametrize("family", ["vit", "videomae"])
def test_other_numbers_of_channels_start_from_the_mean_of_the_kernels(family: str, tmp_path: Path) -> None:
    name, _ = saved(tmp_path / family, CLASSIFIERS[family])
    plain = _build(name, weights="DEFAULT")
    backbone = (build_backbone_3d if is_3d(name) else build_backbone)(name, 2, weights="DEFAULT").eval()
    assert torch.allclose(backbone.stem.weight[:, 1], plain.stem.weight.mean(dim=1))
    assert backbone(_clips(family)[:, :2]).shape == (2, 32)


def test_an_encoder_of_frames_sees_several_frames_at_once(tmp_path: Path) -> None:
    """Early fusion gives its first kernels more channels."""
    name, _ = saved(tmp_path / "d", CLASSIFIERS["dinov2"])
    how = {"class_names": ["a", "b"], "clip": ClipSettings(clip_len=4), "backbone": name}
    assert EarlyFusion(**how)(torch.randn(1, 3, 4, 32, 32)).shape == (1, 2)
    with pytest.raises(ValueError, match="has a class token beside its maps"):
        SlowFusion(**how, extents=[2], strides=[1])
    siglip, _ = saved(tmp_path / "s", CLASSIFIERS["siglip"])
    slow = SlowFusion(**how | {"backbone": siglip}, extents=[2], strides=[1])
    assert set(slow.backbone.travelling) == {siglip}  # for its checkpoint


def test_a_network_with_a_class_token_says_where_it_cannot_be_joined(tmp_path: Path) -> None:
    name, _ = saved(tmp_path / "vit", CLASSIFIERS["vit"])
    backbone, x = _build(name), _clips("vit")
    assert backbone.last_places == "layer1"  # nothing but the class token goes on from the last one
    with pytest.raises(ConfigurationError, match="are those of its class token"):
        backbone.read_out(backbone.maps(x))
    with pytest.raises(ConfigurationError, match="has a class token, which maps that are joined"):
        backbone.maps(backbone.maps(x, until="layer1"), after="layer1")
    with pytest.raises(ValueError, match="towers cannot be joined"):
        build_backbone(name, num_towers=2)
    clip, _ = saved(tmp_path / "clip", CLASSIFIERS["clip"])
    joined = build_backbone(clip, num_towers=2)
    maps = joined.maps(x)
    assert joined.read_out(torch.cat([maps, maps], dim=1)).shape == (2, 64)
    assert isinstance(_build(clip).read_out, GlobalAverage)  # so that it is known for what it is


def test_mistakes_are_one_clear_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _ = saved(tmp_path / "v", CLASSIFIERS["videomae"])
    with pytest.raises(ConfigurationError, match=r"no such folder: .*did you mean v\?"):
        build_backbone_3d(f"{name}v")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"has no config\.json, expected a model as save_pretrained"):
        build_backbone(f"hf/{tmp_path / 'empty'}")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"of the type 'bert', expected an encoder of frames or clips: clip,"):
        build_backbone(f"hf/{tmp_path / 'text'}")
    with pytest.raises(ValueError, match="is a 3D network, an encoder of clips: use a model such as Conv3D"):
        build_backbone(name)
    (tmp_path / "v" / "model.safetensors").rename(tmp_path / "v" / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"as a pickle \(\.bin\), which could run code: save it as safetensors"):
        build_backbone_3d(name, weights="DEFAULT")
    (tmp_path / "v" / "pytorch_model.bin").unlink()
    with pytest.raises(CheckpointError, match=r"has no model\.safetensors"):
        build_backbone_3d(name, weights="DEFAULT")
    (tmp_path / "v" / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(CheckpointError, match="cannot be read as safetensors"):
        build_backbone_3d(name, weights="DEFAULT")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'vidcls\[transformers\]'"):
        build_backbone_3d(name)


def test_weights_of_another_network_are_refused_with_what_they_lack(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    name, _ = saved(tmp_path / "v", CLASSIFIERS["videomae"])
    file = tmp_path / "v" / "model.safetensors"
    state = load_file(file)
    save_file({key: value for key, value in state.items() if ".layer.1." not in key}, file)
    with pytest.raises(CheckpointError, match=r"its weights lack .*layer\.1.* and \d+ more"):
        build_backbone_3d(name, weights="DEFAULT")


def test_weights_in_several_files_are_those_that_lie_beside_their_list(tmp_path: Path) -> None:
    name, network = saved(tmp_path / "v", CLASSIFIERS["vit"])
    whole = build_backbone(name, weights="DEFAULT")
    (tmp_path / "v" / "model.safetensors").unlink()
    network.save_pretrained(tmp_path / "v", max_shard_size="20KB")
    index = tmp_path / "v" / "model.safetensors.index.json"
    assert len(list((tmp_path / "v").glob("*.safetensors"))) > 1
    parts = build_backbone(name, weights="DEFAULT").state_dict()
    assert all(torch.equal(parts[key], value) for key, value in whole.state_dict().items())
    index.write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"expected names of \.safetensors files beside it"):
        build_backbone(name, weights="DEFAULT")


def test_a_model_in_the_cache_of_the_hub_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "models--someone--tiny"
    saved(place / "snapshots" / "0123", CLASSIFIERS["videomae"])
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("0123", encoding="utf-8")
    (place / "snapshots" / "0123" / "preprocessor_config.json").write_text('{"image_mean": [0.1, 0.2, 0.3]}')
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path), raising=False)
    assert is_3d("hf/someone/tiny")
    assert build_backbone_3d("hf/someone/tiny", weights="DEFAULT").input_len == 4
    assert input_of("hf/someone/tiny").rgb_mean == (0.1, 0.2, 0.3)


def test_a_name_on_the_hub_that_cannot_be_fetched_asks_for_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match=r"config\.json is not in the Hub's cache .* pass its folder, hf/FOLDER"):
        build_backbone("hf/nobody/has-this-model")
    saved(tmp_path / "tiny_vit", CLASSIFIERS["vit"])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"pass its folder, hf/FOLDER; did you mean tiny_vit\?"):
        build_backbone("hf/tiny_vitt")


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"num_hidden_layers": 10**6}, "num_hidden_layers is 1000000, expected at most 512"),
        ({"image_size": 2**19}, "is made for .* places, more than any known model"),
        ({"hidden_act": "no_such"}, "cannot be built from its settings"),
        ({"num_attention_heads": 5}, "cannot be built from its settings"),
        ({"patch_size": 0}, "its sizes cannot be used"),
    ],
)
def test_settings_that_no_network_has_are_refused(changed: dict[str, object], complaint: str, tmp_path: Path) -> None:
    name, _ = saved(tmp_path / "v", CLASSIFIERS["videomae"])
    path = tmp_path / "v" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=complaint):
        build_backbone_3d(name)


def test_code_and_addresses_in_settings_are_left_out(tmp_path: Path) -> None:
    name, _ = saved(tmp_path / "v", CLASSIFIERS["vit"])
    path = tmp_path / "v" / "config.json"
    hostile = {
        "auto_map": {"AutoModel": "evil--modeling.Evil"},
        "_attn_implementation": "evil/kernel",
        "quantization_config": {"quant_method": "evil"},
        "kernel_config": {"a": "evil/kernel:b"},
        "attn_implementation": "evil/kernel",
        "transformers_weights": "../other.safetensors",
    }
    path.write_text(json.dumps(json.loads(path.read_text()) | hostile), encoding="utf-8")
    backbone = build_backbone(name, weights="DEFAULT")
    assert backbone(_clips("vit")).shape == (2, 32)
    assert "evil" not in repr(vars(backbone.get_submodule("stages.layer1.layer.attention").config))


def test_settings_that_a_checkpoint_brings_need_no_folder_and_open_none(tmp_path: Path) -> None:
    name, _ = saved(tmp_path / "v", CLASSIFIERS["videomae"])
    backbone = _build(name, weights="DEFAULT")
    travelling = json.loads(json.dumps(backbone.travelling))
    assert travelling == {name: settings_of(name)}
    (tmp_path / "v").rename(tmp_path / "moved")
    with settings_that_travel(travelling):
        again = _build(name)
        with pytest.raises(CheckpointError, match="asks for the weights of"):
            _build(name, weights="DEFAULT")
        with pytest.raises(CheckpointError, match="without its settings"):
            _build(f"hf/{tmp_path / 'moved'}")
    again.load_state_dict(backbone.state_dict())
    x = _clips("videomae")
    with torch.no_grad():
        assert torch.equal(again(x), backbone(x))


def test_the_whole_of_a_video_is_seen_where_transformers_pipeline_sees_its_beginning(tmp_path: Path) -> None:
    """Of a model with a processor of pictures, its pipeline spreads the frames over the first ``num_frames *
    frame_sampling_rate`` ones; here the last third differs.
    """
    table = CLASSIFIERS["videomae"]
    name, _ = saved(tmp_path / "v", (*table[:2], {**table[2], "num_frames": 16}))
    backbone = _build(name, weights="DEFAULT")
    generator = torch.Generator().manual_seed(0)
    video = torch.randn(3, 96, 32, 32, generator=generator)
    other = video.clone()
    other[:, 64:] = torch.randn(3, 32, 32, 32, generator=generator)

    def difference(indices: list[int]) -> float:
        with torch.no_grad():
            return float((backbone(video[None, :, indices]) - backbone(other[None, :, indices])).abs().max())

    pipeline = [int(index) for index in torch.linspace(0, 16 * 4 - 1, 16)]
    assert difference(pipeline) == 0
    snippets = [index for snippet in segment_clips(96, 16, 1, 1, generator=None) for index in snippet]
    assert difference(snippets) > 0.1
    (spread,) = uniform_views(96, 1, 16, 6)
    assert difference(spread) > 0.1
    assert max(snippets) > 90
    assert max(spread) >= 90
