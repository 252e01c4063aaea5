#!/bin/sh
# Three seeds of the whole way, each made from nothing, and a table of what came of them. Stopped, it goes on where it was.
set -e
here=$(dirname "$0")
for seed in ${SEEDS:-0 1 2}; do
  caif run "$here/run.toml" "seed=$seed" "name=efficacy-$seed"
done
python "$here/table.py" "${CAIF_HOME:-caif-home}"
