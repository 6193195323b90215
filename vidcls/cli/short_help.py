"""fit, validate and test --help on one screen: our own options by what they are about; --help all has the rest."""

from __future__ import annotations

FIT = """usage: vidcls fit --config NAME|FILE [options]

Train a model. runs/NAME/TIME has then its checkpoints, curves and settings.

  vidcls fit --config two_stream --data video_folder \\
      --data.dataset.root my_videos
  vidcls fit --run runs/two_stream --ckpt_path last     go on where it stopped

Data
  --data NAME|FILE            video_folder, video_csv, ucf101 ...
  --data.dataset.root DIR     the videos (--data.dataset.help lists data sets)
  --data.dataset.group_pattern REGEX  what file names share that belong together
  --task multi_label          a video may have several labels or none
  --data.clip_len N           frames of a clip
  --data.stride N             frames of the video from one to the next
  --data.transform.crop_px N  side of what the network sees
  --data.batch_size N         clips in a step
  --data.num_workers N        processes that load
  --data.flow DIR             stored optical flow (default: computed)
  --data.prepare auto         train on a small copy where that saves time
Model
  --config NAME|FILE          a whole training (vidcls models lists them)
  --model NAME                another model; or your own, as module.Class
  --model.backbone NAME       its network (vidcls backbones lists them)
  --model.weights NAME|FILE   to start from, such as DEFAULT
  --model.optimization.lr X   learning rate
Training
  --trainer NAME|FILE         gpu, ddp, fast, wandb, early_stopping, distill ...
  --trainer.max_epochs N      how long to train
  --trainer.accelerator NAME  cpu, gpu or auto
  --monitor NAME              what the best checkpoint is best at, as val/top1
  --seed_everything N         same seed, same training (default 0)
  --save_every_n_steps N      save within epochs too
  --engine ray --num_processes N  on a Ray cluster, started again after losses
Run
  --name NAME                 of the run (default: that of the configuration)
  --run DIR, --run_dir DIR    the folder of the run (default: a new one)
  --ckpt_path MODEL           go on from last, runs/NAME, a run or a checkpoint

What is not given is as the configuration says. --help all shows every option;
--model.help CLASS, --data.dataset.help CLASS, --data.help, --trainer.help and
.help behind any option explain what it takes."""

_SCORE = """usage: vidcls {command} --ckpt_path best [options]

{what}

  vidcls {command} --ckpt_path best               the newest training
  vidcls {command} --run runs/two_stream          the newest of that name
  vidcls {command} --run runs/two_stream --data.dataset.root other_videos

Model
  --ckpt_path MODEL           best, last, runs/NAME, a run or a checkpoint
  --run DIR, --run_dir DIR    the folder of a run, or runs/NAME: its best
Data
  --data NAME|FILE            other data: video_folder, video_csv ...
  --data.dataset.root DIR     other videos (--data.dataset.help lists data sets)
  --data.test_clips N         clips of a video whose scores are averaged
  --data.transform.test_crops N  crops of each clip: 1, 2, 3 or 10
  --data.test_batch_size N    videos at once
  --data.num_workers N        processes that load
  --data.flow DIR             stored optical flow (default: computed)
Run
  --trainer.accelerator NAME  cpu, gpu or auto
  --trainer NAME|FILE         gpu, ddp ...
  --name NAME                 of the run, where it is new

What is not given is as in the training. --help all shows every option;
.help behind an option, as in --data.dataset.help, explains what it takes."""

SHORT_HELP = {
    "fit": FIT,
    "validate": _SCORE.format(
        command="validate", what="Score the validation split of a trained model. Nothing is written."
    ),
    "test": _SCORE.format(
        command="test", what="Score the test split of a trained model; its scores are written to the run."
    ),
}
