#!/bin/bash
# One node with several GPUs:  mkdir -p logs; sbatch one_node.sh qwen2_audio_lora.yaml runs/qwen2-audio
#SBATCH --job-name=triptych
#SBATCH --nodes=1
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

# Five minutes before its time is up the job gets SIGTERM: the run saves and ends, and the next job goes on from there.
resume=()
if compgen -G "$run/checkpoints/step-*" >/dev/null; then resume=(--resume); fi

srun torchrun --standalone --nproc-per-node="${SLURM_GPUS_ON_NODE:-8}" -m triptych.cli \
  train sft --config "$config" --output-dir "$run" "${resume[@]}"
