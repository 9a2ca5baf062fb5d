#!/bin/bash
# compilers.sh [FOLDER]: plans are the same bytes whoever compiled dg. Builds dg with gcc and with clang,
# warnings as errors, in FOLDER (or one of its own), and compares the canonical JSON of every example's
# entries for each ISA level. Some minutes; no part of ctest. Exits 77 where a compiler is missing.
set -eu
source_folder=$(cd "$(dirname "$0")/.." && pwd)
for compiler in gcc clang; do
    command -v "$compiler" >/dev/null || { echo "no $compiler"; exit 77; }
done
folder=${1:-$(mktemp -d)}
[ $# -gt 0 ] || trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder"
for compiler in gcc clang; do
    cmake -S "$source_folder" -B "$folder/$compiler" -G Ninja -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_C_COMPILER="$compiler" -DDG_WERROR=ON >"$folder/$compiler.log"
    ninja -C "$folder/$compiler" bin/dg >>"$folder/$compiler.log" || { tail "$folder/$compiler.log"; exit 1; }
done
cd "$source_folder"
compared=0
for model in examples/*/model.dg; do
    for entry in step sample; do
        for isa in generic avx2 avx512; do
            for compiler in gcc clang; do
                "$folder/$compiler/bin/dg" plan "$model" "$entry" --isa "$isa" --format json --canonical \
                    >"$folder/$compiler.json" 2>/dev/null || continue 2
            done
            cmp "$folder/gcc.json" "$folder/clang.json" || { echo "differ: $model $entry $isa"; exit 1; }
            compared=$((compared + 1))
        done
    done
done
echo "$compared plans, the same bytes from gcc and clang"
[ "$compared" -gt 0 ]
