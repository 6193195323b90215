#!/bin/bash
# Train on the GPUs of one node, in one process for each. Submit it with: sbatch scripts/slurm/one_node.sh
#SBATCH --job-name=vidcls
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=2
#SBATCH --gpus-per-node=2
#SBATCH --cpus-per-task=8
#SBATCH --mem=64G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@300
# Five minutes before the time is up the training ends after its batch, and the job is queued again, as it is by SLURM
# itself where a node is lost. It goes on from its last checkpoint: of an epoch, or of --save_every_n_steps within one.

set -u
training=(
    --config two_stream
    --data video_folder --data.dataset.root my_videos
    --save_every_n_steps 500
    --data.num_workers "$((${SLURM_CPUS_PER_TASK:-2} - 1))"
    --trainer.accelerator gpu --trainer.strategy ddp
    --trainer.num_nodes 1 --trainer.devices "${SLURM_NTASKS_PER_NODE:-2}"
)

run_dir=${RUN_DIR:-runs/slurm/$SLURM_JOB_ID} # a job that is queued again keeps its number
resume=()
if [ -f "$run_dir/checkpoints/last.ckpt" ]; then
    resume=(--ckpt_path last)
fi

queue_again() {
    kill -TERM "$step" # srun passes it on, and each process stops after its batch
    wait "$step"
    scontrol requeue "$SLURM_JOB_ID"
    exit 0
}
trap queue_again USR1

srun vidcls fit "${training[@]}" --run_dir "$run_dir" "${resume[@]}" &
step=$!
wait "$step"
