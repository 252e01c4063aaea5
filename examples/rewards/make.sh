#!/usr/bin/env bash
# Make the card and the report: DATA=folder-with-the-data-sets examples/rewards/make.sh
set -euo pipefail
data=$(realpath "$DATA")
cd "$(dirname "$0")"
home=${CAIF_HOME:-caif-home}
mkdir -p data
for file in hh_rlhf_harmless/harmless-base-dev.jsonl.gz finegrained_rlhf_dev/dev_feedback_100.json oasst_en100_thumbs/trees.jsonl; do
  ln -sf "$data/$file" data/
done
caif run run.toml --home "$home"
cp "$home"/runs/rewards/report.{html,json} .
card=$(python -c 'import caif, sys; print(caif.load_run(sys.argv[1]).artifact("reward").folder)' "$home/runs/rewards")
cp "$card"/reward_card.{html,json} .
