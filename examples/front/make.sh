#!/usr/bin/env bash
# Sweep weights and bounds, two seeds each: examples/front/make.sh. Stopped, it goes on where it was.
set -euo pipefail
cd "$(dirname "$0")"
home=${CAIF_HOME:-caif-home}
caif sweep run.toml --weights "brevity=0.25,4" --bounds "brevity>=-0.5,0.5" --seeds "${SEEDS:-2}" --home "$home"
cp "$home"/sweeps/front.{html,json} .
