#!/bin/bash
# The main job, from nothing: installs what is missing, builds dg, trains a model of digits on built-in data, samples from it, and
# says where the picture, the plan and the metrics are. A second run builds nothing anew and trains again.
set -euo pipefail
cd "$(dirname "$0")/.."
. cmake/packages.sh

need_packages $BUILD_PACKAGES
echo "building"
mkdir -p build
cmake --preset release -DDG_TESTS=OFF >build/release.log 2>&1 && cmake --build --preset release >>build/release.log 2>&1 ||
    { tail -n 20 build/release.log >&2; exit 1; }
dg=build/release/bin/dg
out=build/sketch_digits
mkdir -p "$out"

"$dg" plan examples/sketch_digits/model.dg step -o "$out/plan.txt"
"$dg" plan examples/sketch_digits/model.dg step -q
rm -rf "$out/run"
"$dg" train examples/sketch_digits/run.yaml --out "$out/run" --set log.samples_every=0
"$dg" sample "$out/run" --n 100 --grid 10x10 --seed 7 -o "$out/samples.png"

cat <<END

samples  $out/samples.png   (ten digits of each class, one class to a column)
plan     $out/plan.txt      (every step of training: kernel, bytes, place)
metrics  $out/run/metrics.jsonl
again    $dg sample $out/run --n 100 --seed 8 -o more.png
END
