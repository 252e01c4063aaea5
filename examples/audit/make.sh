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

OPTIONS=--attacks card 0.5b icai taste 30 logprobs,pointwise "$icai"
card 0.5b hh-rlhf harmlessness 24 logprobs,pointwise "$hh"
card 0.5b llmbar instruction 6 logprobs,pointwise "${llmbar[@]}"
card 0.5b fine-grained information 16 logprobs,pointwise "$fine"
card 1.5b icai taste 12 logprobs,pointwise "$icai"
OPTIONS=--attacks card 1.5b attacks taste 12 logprobs "$icai"
card 1.5b hh-rlhf harmlessness 14 logprobs "$hh"
card 1.5b llmbar instruction 3 logprobs "${llmbar[@]}"
card 1.5b fine-grained information 8 logprobs "$fine"
