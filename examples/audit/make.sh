#!/usr/bin/env bash
# Make the cards: DATA=folder-with-the-data-sets examples/audit/make.sh. Nothing is asked twice: the ledger keeps the answers.
set -euo pipefail
here=$(dirname "$0")
card() { # judge, name, objective, pairs of each file, methods, files of pairs…; OPTIONS=--attacks also tries to steer it
  local judge=$1 name=$2 objective=$3 limit=$4 methods=$5 pairs=()
  shift 5
  for file in "$@"; do pairs+=(--pairs "$file"); done
  caif audit --judge "embedded:$judge" --constitution "$here/law.toml" --objective "$objective" --limit "$limit" \
    --methods "$methods" ${OPTIONS:-} "${pairs[@]}" --out "$here/$judge/$name"
}
icai=icai:$DATA/icai_synthetic/synthetic_data_orthogonal_adcbg.csv
hh=hh-rlhf:$DATA/hh_rlhf_harmless/harmless-base-dev.jsonl.gz
fine=fine-grained:$DATA/finegrained_rlhf_dev/dev_feedback_100.json
llmbar=()
for kind in Base_10 Base_9 Constraint Negation Normal; do llmbar+=("llmbar:$DATA/llmbar/CaseStudy_$kind.json"); done

methods=logprobs,pointwise,likelihood
for judge in 0.5b 1.5b; do
  OPTIONS=--attacks card $judge icai taste 30 $methods "$icai"
  card $judge hh-rlhf harmlessness 60 $methods "$hh"
  card $judge llmbar instruction 12 $methods "${llmbar[@]}"
  card $judge fine-grained information 30 $methods "$fine"
done
