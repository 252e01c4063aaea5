#!/bin/sh
# The quickstart with three seeds, each the whole way from nothing, and a table of what came of it. Stopped, the same
# command goes on where it was. SEEDS="0 1" takes fewer.
set -e
home=${CAIF_HOME:-caif-home}
for seed in ${SEEDS:-0 1 2}; do
  caif run quickstart "name=efficacy-$seed" "seed=$seed" evaluate.best_of=16 evaluate.samples=4 --home "$home"
done
python "$(dirname "$0")/table.py" "$home"
