#!/bin/bash
# The tests, from nothing: installs what is missing, builds with warnings as errors, runs the quick and full labels of ctest.
#     tests/run.sh [PRESET]      ci (default), release, dev (address and undefined-behaviour sanitizers), tsan
set -euo pipefail
cd "$(dirname "$0")/.."
. cmake/packages.sh

preset=${1:-ci}
need_packages $BUILD_PACKAGES $TEST_PACKAGES
cmake --preset "$preset"
cmake --build --preset "$preset"
ctest --preset "$preset" --output-on-failure -j "$(nproc)"
