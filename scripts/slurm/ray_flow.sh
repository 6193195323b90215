#!/bin/bash
# Optical flow by the nodes of one job, on a Ray cluster that lasts as long as it. Submit it with:
#   sbatch scripts/slurm/ray_flow.sh
#SBATCH --job-name=vidcls-flow
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@120
# Two minutes before the time is up the job is queued again; it goes on from what is stored.

set -u
work=(vidcls flow --folder my_videos --output flow)

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=$((20000 + SLURM_JOB_ID % 20000)) # two jobs may share a node
host=$(getent ahostsv4 "$head" | awk '{ print $1; exit }')
if [ -z "$host" ]; then
    echo "$head has no IPv4 address: set host to one that the other nodes reach" >&2
    exit 1
fi
address=$host:$port
export RAY_USAGE_STATS_ENABLED=0 RAY_TMPDIR=/tmp/ray-$SLURM_JOB_ID # names of sockets must be short
# Without a token whoever reaches the port could run code as you; older versions of Ray know none, and have none then.
if ray get-auth-token --generate >/dev/null 2>&1; then
    export RAY_AUTH_MODE=token # it lies in the home folder, which the nodes share
fi

trap 'scontrol requeue "$SLURM_JOB_ID"; exit 0' USR1

srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap \
    ray start --head --port="$port" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
head_step=$!
until ray health-check --address "$address" >/dev/null 2>&1; do
    if ! kill -0 "$head_step" 2>/dev/null || [ "$SECONDS" -gt 300 ]; then
        echo "the head of Ray did not start on $head: see what it said above" >&2
        kill "$head_step" 2>/dev/null
        exit 1
    fi
    sleep 1
done
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
    srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --exclude="$head" --overlap \
        ray start --address="$address" --num-cpus="$SLURM_CPUS_PER_TASK" --block &
fi
srun --nodes=1 --ntasks=1 --nodelist="$head" --overlap "${work[@]}" --engine ray --address "$address" &
command=$!
wait "$command" # workers start on nodes that join later, too
