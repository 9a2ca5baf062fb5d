#!/bin/bash
# dg beside PyTorch and onnxruntime on the same networks and weights: a table of ratios (docs/performance.md).
#
#   bash tests/bench/peers.sh [--rounds 5] [--only TEXT] [--quick] [--anyway] [-o FILE.md]
#
# Builds bench_worker in BUILD (build/release), then runs peers.py. A peer that is not installed is left out: Debian's python3-torch,
# python3-numpy and python3-onnx; onnxruntime-node by npm, its folder node_modules in NODE_PATH. It takes about 20 minutes and refuses to
# report when other processes take the CPUs.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$root/build/release}
[ -e "$build/build.ninja" ] || cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release >/dev/null
ninja -C "$build" bench_worker >/dev/null
python=$(command -v -p python3) || { echo "peers.sh: python3 is needed" >&2; exit 2; }
"$python" -c 'import numpy' 2>/dev/null || { echo "peers.sh: python3-numpy is needed" >&2; exit 2; }
export DG_PATH="$root/graphs${DG_PATH:+:$DG_PATH}"
exec "$python" "$root/tests/bench/peers.py" --worker "$build/tests/bench_worker" "$@"
