"""What is wrong with the words of a command is said before torch is imported, which takes seconds."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys

import pytest
from lightning.pytorch import Trainer

import vidcls.datasets
import vidcls.models
from vidcls.class_arguments import arguments_of
from vidcls.cli.flow import OPTIONS
from vidcls.cli.flow_run import parser_of_flow
from vidcls.cli.option_names import DATASET_BASE, DATASETS, MODEL_BASE, MODELS, OWNERS
from vidcls.cli.signatures import arguments_in, classes_of, docstring_in, exported
from vidcls.loading import VideoDataModule

PROGRAM = """
import json, sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "lightning"):
            raise AssertionError(f"{name} is imported")

sys.meta_path.insert(0, Refuse())
from vidcls.cli import main

answers = []
for words in json.load(sys.stdin):
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        try:
            status = main(words)
        except BaseException as error:
            status = repr(error)
    answers.append((status, said.getvalue()))
print(json.dumps(answers))
"""
# Each with its status and what it says.
COMMANDS = (
    ("", 2, "usage: vidcls COMMAND"),
    ("--help", 0, "usage: vidcls COMMAND"),
    ("train", 2, "unknown command 'train': did you mean fit? use one of"),
    ("tets", 2, "unknown command 'tets': did you mean test?"),
    ("data chekc x", 2, "data: unknown command 'chekc': did you mean check?"),
    ("fit --help", 0, "--trainer.max_epochs"),
    ("test --help", 0, "--ckpt_path"),
    ("fit --model.help SingleFrame", 0, "Large-Scale Video Classification"),
    ("fit --model.help", 0, "TwoStreamFusion"),
    ("fit --model.help SingelFrame", 2, "did you mean SingleFrame?"),
    ("fit --model.backbone.help", 0, "vidcls backbones lists them"),
    ("fit --model.optimization.help", 0, "--model.optimization.lr  float (default 0.01)"),
    ("fit --model.optimization.lr.help", 0, "--model.optimization.lr of OptimizationSettings"),
    ("fit --config two_stream --model.temporal.help", 0, "--model.temporal of TwoStream"),
    ("fit --model.backbne.help", 2, "--model.backbne: unknown option; did you mean backbone?"),
    ("fit --data.dataset.help VideoFolder", 0, "--data.dataset.group_pattern"),
    ("fit --data.dataset.help", 0, "MovingShapes"),
    ("fit --data.dataset.root.help", 0, "--data.dataset.root of"),
    ("fit --data.flow.help", 0, "--data.flow of VideoDataModule"),
    ("fit --data.decoder.help", 0, "'decord' | 'torchcodec' | 'pyav'"),
    ("fit --data.transform.help", 0, "--data.transform.crop_px"),
    ("test --data.help", 0, "--data.clip_len"),
    ("fit --trainer.help", 0, "--trainer.max_epochs"),
    ("fit --trainer.max_epochs.help", 0, "--trainer.max_epochs of Trainer"),
    ("fit --trainer.callbacks.help EarlyStopping", 0, "--trainer.callbacks.patience"),
    ("fit --data.clip_lenn.help", 2, "did you mean --data.clip_len?"),
    ("fit --config two_steam", 2, "did you mean two_stream?"),
    ("fit --config gone.yaml", 2, "--config gone.yaml: no such file"),
    ("fit two_stream", 2, "did you mean --config two_stream?"),
    ("fit", 2, "no model given: add --config FILE"),
    ("fit --config two_stream --data videos", 2, "--data video_folder --data.dataset.root videos"),
    ("fit --config two_stream --trainer.max_epoch 3", 2, "did you mean --trainer.max_epochs?"),
    ("fit --config two_stream --data.batchsize 3", 2, "did you mean --data.batch_size?"),
    ("fit --config two_stream --modle x", 2, "did you mean --model?"),
    ("fit --config single_frame --model.backbne x", 2, "model.backbne: unknown option; did you mean backbone?"),
    ("fit --config two_stream --model SingelFrame", 2, "did you mean SingleFrame?"),
    ("fit --config two_stream --data.dataset VideoFoldr", 2, "did you mean VideoFolder?"),
    ("fit --config two_stream --data video_folder --data.dataset.root my_video", 2, "my_video does not exist"),
    ("fit --config two_stream --data video_csv --data.dataset.path gone.csv", 2, "no csv file at gone.csv"),
    ("fit --config two_stream --ckpt_path last", 2, "no run here has a checkpoint last.ckpt: train first"),
    ("fit --config two_stream --ckpt_path gone.ckpt", 2, "--ckpt_path gone.ckpt: no such file or folder"),
    ("fit --config misspelt.yaml", 2, "--data.clip_lenn: unknown option; did you mean --data.clip_len?"),
    ("probe", 2, "no data set is given: pass a folder"),
    ("probe gone", 2, "gone: no such folder or csv file"),
    ("probe videos/a.mp4", 2, "videos/a.mp4: is one video: pass a folder"),
    ("probe videos --backbone resnett", 2, "there is no backbone 'resnett': did you mean"),
    ("probe videos --backbone small", 2, "small has no ready-made weights, and a probe learns none"),
    ("probe videos --data.clip_lenn 3", 2, "did you mean --data.clip_len?"),
    ("probe --help", 0, "usage: vidcls probe FOLDER|CSV [options]"),
    ("flow --folder videos --output flow --address auto", 2, "--address: is for a cluster: add --engine ray"),
    ("flow --folder videos --output flow --engine slurm", 2, "argument --engine: invalid choice: 'slurm'"),
    ("flow --folder videos --output flow --engine ray --address h", 2, "--address h: expected local, auto or HOST"),
    ("data check videos --gpus_per_worker 1", 2, "--gpus_per_worker: is for a cluster: add --engine ray"),
    (
        "data prepare videos out --engine ray --gpus_per_worker 1.5",
        2,
        "'1.5' is not a fraction of one GPU, or an integer",
    ),
    ("probe videos --gpus_per_worker 1", 2, "--gpus_per_worker: is for a cluster: add --engine ray"),
    ("probe videos --engine ray --cpus_per_worker x", 2, "--cpus_per_worker: 'x' is not a number above 0"),
    ("predict good.ckpt videos --num_workers 2", 2, "--num_workers is for a cluster: without --engine ray"),
    ("export good.ckpt out.txt", 2, "out.txt: suffix is '.txt'; allowed are .onnx and .pt2"),
    ("export good.ckpt out.pt2 --precision int8", 2, "int8 is written as .onnx alone: pass OUT.onnx, or"),
    ("export good.ckpt out.pt2 --force", 2, "--force has no effect on fp32: add --precision int8, or remove it"),
    ("export good.ckpt out.pt2 --tolerance 2", 2, "'2' is not a difference of scores above 0 and below 1"),
    ("export gone.ckpt out.pt2", 2, "gone.ckpt: no such file or folder"),
    ("export good.ckpt good.ckpt/out.pt2", 2, "good.ckpt is not a writable folder"),
    ("features runs/gone --address auto", 2, "--address: is for a cluster: add --engine ray"),
    ("test", 2, "test needs a checkpoint: pass --ckpt_path best"),
    ("test --ckpt_path best", 2, "runs: no run here has a checkpoint best.ckpt"),
    ("test --run runs/gone", 2, "--run runs/gone: no such folder"),
    ("validate --ckpt_path misspelt.yaml", 2, "misspelt.yaml: is not a readable checkpoint"),
    ("predict best gone.mp4", 2, "no run here has a checkpoint best.ckpt"),
    ("predict videos/a.mp4 best", 2, "is a video, and the model comes before it: vidcls predict best videos/a.mp4"),
    ("predict misspelt.yaml videos/a.mp4", 2, "is not a readable checkpoint (a configuration)"),
    ("predict good.ckpt gone.mp4", 2, "gone.mp4: no such file or folder"),
    ("predict good.ckpt 0", 2, "0: looks like the number of a camera"),
    ("predict good.ckpt rtsp://camera/1", 2, "rtsp://camera/1: is a live stream"),
    ("predict good.ckpt", 2, "the following arguments are required: VIDEO (or --source S --live)"),
    ("predict good.ckpt --source 0", 2, "--source needs --live"),
    ("predict good.ckpt --live", 2, "--live needs --source: the number of a camera, an address or a file"),
    ("predict good.ckpt videos/a.mp4 --source 0 --live", 2, "--live reads --source alone: remove videos/a.mp4"),
    ("predict good.ckpt videos --duration_seconds 2", 2, "--duration_seconds needs --live"),
    ("predict good.ckpt --source 0 --live --engine ray", 2, "--live runs in this process: remove --engine"),
    ("predict good.ckpt --source 0 --live --duration_seconds 1", 2, "is shorter than a window of 2 s"),
    ("predict good.ckpt --source 0 --live --output x.csv", 2, "pass a file that ends in .jsonl"),
    ("predict good.ckpt --source 0 --live --overlay x.txt", 2, "--overlay x.txt: pass window, or a file that ends"),
    ("predict good.ckpt --source gone.mp4 --live", 2, "--source gone.mp4: no such file; expected a file"),
    ("predict good.ckpt --source rtsp://u:pw@h/1 --live", 2, "rtsp://h/1: is an address, and none is read without"),
    ("predict good.ckpt --source srt://h/1 --live --allow-remote rtsp", 2, "srt://h/1: addresses of srt are not read"),
    ("predict good.ckpt --source 0 --live --window_seconds 1 --segments s.csv", 2, "--segments is for videos that"),
    ("predict gone.ckpt --source 0 --live", 2, "gone.ckpt: no such file or folder"),
    ("predict good.ckpt videos --segments s.csv", 2, "--segments needs --window_seconds"),
    ("predict good.ckpt videos --segment_enter 0.5", 2, "--segment_enter needs --segments"),
    (
        "predict good.ckpt videos --window_seconds 1 --segments s.csv --segment_leave 0.6",
        2,
        "--segment_enter is 0.5 and --segment_leave 0.6; both must be above 0 and at most 1, and leave not above",
    ),
    (
        "predict good.ckpt videos --window_seconds 1 --segments s.csv --segment_smoothing_windows 2",
        2,
        "--segment_smoothing_windows 2: expected an odd number",
    ),
    ("serve gone", 2, "gone: no such file or folder"),
    ("serve gone.onnx", 2, "gone.onnx: no such file; write it with vidcls export"),
    ("serve good.ckpt --host 0.0.0.0", 2, "others may reach this server: set the environment variable VIDCLS_TOKEN"),
    ("serve gone.pt2", 2, "gone.pt2: no such file; write it with vidcls export RUN gone.pt2"),
    ("serve good.ckpt --max_mib 0", 2, "argument --max_mib: '0' is not a number of MiB above 0"),
    ("export good.ckpt m.pt2 --check videos/a.mp4 gone.mp4", 2, "gone.mp4: no such file"),
    ("export good.ckpt videos/a.mp4/m.pt2", 2, "videos/a.mp4 is not a writable folder; pass another place"),
    (
        "predict good.ckpt videos/a.mp4 --window_seconds 1 --segments s.csv --output s.csv",
        2,
        "--segments s.csv: --output writes there; pass another name",
    ),
    ("serve good.ckpt --token short", 2, "the token has 5 characters; it must have 16 or more"),
    ("serve good.ckpt --port 70000", 2, "'70000' is not a port"),
    ("serve good.ckpt --max_queue 0", 2, "argument --max_queue: '0' is not an integer of at least 1"),
    ("serve good.ckpt --max_mb 5", 2, "did you mean --max_mib?"),
    ("explain good.ckpt gone.mp4", 2, "gone.mp4: no such file"),
    ("explain gone videos/a.mp4", 2, "gone: no such file or folder"),
    ("features runs/gone", 2, "runs/gone: no such file or folder"),
    ("report runs/gone", 2, "runs/gone: no such folder"),
    ("report untested", 2, "untested: has no test.json: test it first (vidcls test --run untested)"),
    ("summary two_steam", 2, "did you mean two_stream?"),
    ("summary best", 2, "no run here has a checkpoint best.ckpt"),
    ("summary two_stream --data.clip_lenn 3", 2, "did you mean --data.clip_len?"),
    ("models", 0, "TwoStreamFusion  two_stream_fusion      76,600"),
    ("models two_stream_fusion", 0, "TwoStreamFusion  two_stream_fusion      76,600"),
    ("models twostream", 0, "TwoStream  "),
    ("models convd", 2, "convd: no model is called so; did you mean Conv3D?"),
    ("fit --model.help conv3d", 0, "vidcls.models.conv3d.Conv3D"),
    ("fit --data.dataset.help video_folder", 0, "vidcls.datasets.video_folder.VideoFolder"),
    ("trian", 2, "unknown command 'trian': did you mean fit?"),
    ("evaluat", 2, "did you mean test?"),
    ("fit --config two_stream --trainer.epochs 3", 2, "did you mean --trainer.max_epochs?"),
    ("fit --config two_stream --epochs 3", 2, "did you mean --trainer.max_epochs?"),
    ("fit --config two_stream --batch_size 3", 2, "did you mean --data.batch_size?"),
    ("fit --config two_stream --lr 3", 2, "did you mean --model.optimization.lr?"),
    ("fit --config late_fusion_imagenet videos", 2, "for a folder of videos: --data.dataset.root videos"),
    ("fit --config two_stream videos", 2, "for a folder of videos: --data video_folder --data.dataset.root videos"),
    (
        "backbones resnett",
        2,
        "did you mean one of resnet20, resnet56, resnet101, resnet152, resnet18, resnet34, resnet50?",
    ),
    ("backbones xyz", 2, "no backbone has this in its name; vidcls backbones lists all"),
    ("backbones resnet18", 0, "11,176,512"),
    ("backbones resnet19", 2, "no backbone has this in its name; did you mean one of resnet101, resnet152, resnet18?"),
    ("backbones hf/", 2, "add a folder or a name on the Hub"),
    ("backbones hf/./gone", 2, "no such folder: expected hf/ and a folder with a config.json"),
    ("backbones hf/videos", 2, "has no config.json, expected a model as save_pretrained writes it"),
    ("backbones hf/text", 2, "is a model of the type 'bert', expected an encoder of frames or clips: clip, dinov2"),
    ("compare --config two_stream", 2, "nothing to compare"),
    ("compare --runs gone", 2, "--runs gone: no such folder"),
    ("data check gone", 2, "gone: no such folder or file"),
    ("data browse videos --data.clip_lenn 3", 2, "did you mean --data.clip_len?"),
    ("data prepare gone small", 2, "gone: no such folder or file"),
    ("flow --folder gone --output flow", 2, "--folder gone: no such folder"),
    ("flow --data.dataset.root videos --output flow", 2, "no data set is named: add --data video_folder, as in"),
    ("flow --folder videos --output flow --bond 3", 2, "did you mean --bound?"),
    ("flow show gone.mp4", 2, "gone.mp4: no such file"),
)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, str]]:
    """What a process says to all of them in which torch cannot be imported."""
    folder = tmp_path_factory.mktemp("words")
    (folder / "videos").mkdir()
    (folder / "videos" / "a.mp4").write_bytes(b"no video")
    (folder / "text").mkdir()
    (folder / "text" / "config.json").write_text('{"model_type": "bert"}')
    (folder / "untested" / "checkpoints").mkdir(parents=True)
    (folder / "misspelt.yaml").write_text("model: {class_path: TwoStream}\ndata: {clip_lenn: 3}\n")
    (folder / "good.ckpt").write_bytes(b"PK\x05\x06" + bytes(18))  # an empty archive, as far as a first look tells
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([shlex.split(words) for words, *_ in COMMANDS]),
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return [(status, said) for status, said in json.loads(process.stdout.splitlines()[-1])]


def test_mistaken_words_are_answered_without_torch(answers: list[tuple[object, str]]) -> None:
    for (words, status, message), (found, said) in zip(COMMANDS, answers, strict=True):
        assert (found, message in said) == (status, True), f"vidcls {words}: {found}: {said}"
        if status:
            assert len([line for line in said.splitlines() if "error" in line]) <= 1, said


def test_arguments_that_are_read_from_source_are_those_of_the_classes() -> None:
    assert set(arguments_in(*OWNERS["data"]) or ()) == {*arguments_of(VideoDataModule)}
    assert set(arguments_in(*OWNERS["trainer"]) or ()) == {*arguments_of(Trainer)}
    for package, base in ((MODELS, MODEL_BASE), (DATASETS, DATASET_BASE)):
        module = vidcls.models if package == MODELS else vidcls.datasets
        classes = {
            name
            for name, found in vars(module).items()
            if isinstance(found, type) and issubclass(found, getattr(module, base)) and name != base
        }
        assert {*classes_of(package, base)} == classes
        for name in classes:
            found = getattr(module, name)
            assert set(arguments_in(exported(package)[name], name) or ()) == {*arguments_of(found)}, name
            assert docstring_in(exported(package)[name], name), name


def test_a_source_that_is_not_there_answers_nothing() -> None:
    assert arguments_in("vidcls.models.gone", "Gone") is None
    assert arguments_in("not_installed_at_all.module", "Gone") is None
    assert exported("vidcls.gone") == {}


def test_the_options_of_flow_are_those_of_its_parser() -> None:
    names = {name for action in parser_of_flow()._actions for name in action.option_strings}
    assert {name for name in names if not name.startswith(("-h", "--data."))} | {"--data", "--data.dataset"} == {
        *OPTIONS
    }
