#!/bin/bash
# Several nodes:  mkdir -p logs; sbatch many_nodes.sh full.yaml runs/full
#SBATCH --job-name=triptych
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@300
#SBATCH --requeue
#SBATCH --output=logs/%x_%j.out
#SBATCH --error=logs/%x_%j.err
set -euo pipefail

config=$1
run=$2

head_node=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
resume=()
if compgen -G "$run/checkpoints/step-*" >/dev/null; then resume=(--resume); fi

srun torchrun --nnodes="$SLURM_NNODES" --nproc-per-node="${SLURM_GPUS_ON_NODE:-8}" \
  --rdzv-id="$SLURM_JOB_ID" --rdzv-backend=c10d --rdzv-endpoint="$head_node:29500" -m triptych.cli \
  train sft --config "$config" --output-dir "$run" "${resume[@]}"
