#!/bin/bash
# The table of samplers, from nothing: trains the classifier and the model (what is there already is kept), samples, judges.
#
#   bash examples/mnist_table/table.sh DATA OUT
#
# DATA is a folder with MNIST's four IDX files, or sketch_digits; all that is made goes to the folder OUT, the table to OUT/table.md and to
# standard output. What can be set (environment, with its default):
DG=${DG:-dg}                # the program
N=${N:-1000}                # samples of a row
N_DDPM=${N_DDPM:-100}       # samples of the row with all steps, which is not ranked
N_BITS=${N_BITS:-100}       # images of the bound
W=${W:-0.5}                 # strength of the guidance
SEED=${SEED:-1}             # of the starting noise, the same for all rows
DDIM=${DDIM:-10 20 50 100}  # steps of the rows
SOLVER=${SOLVER:-10 20}
ANALYTIC=${ANALYTIC:-10 25 50}
T=${T:-1000}                # steps of the chain
TRAIN=${TRAIN:-}            # more options of both trainings, such as "--steps 20"
MODEL=${MODEL:-}            # more options of the model, such as "-D ch=8"
set -euo pipefail
[ $# = 2 ] || { sed -n '2,7p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
data=$1
out=$2
judge=$here/../digit_classifier
mkdir -p "$out"
if [ -d "$data" ]; then
    source=(--set data.kind=auto --set data.path="$(cd "$data" && pwd)")
    train=$data
    test=$(ls "$data"/t10k-images-idx3-ubyte* | head -n 1)
    all=10000
    kept=60000
else
    source=(--set data.kind="$data")
    train=$data
    test=$data
    all=$N
    kept=$N
fi
range='{range: [-1, 1]}'
judge() { "$DG" run "$judge/model.dg" "$@"; }
model() { "$DG" run "$here/model.dg" -D T="$T" $MODEL "$@"; }
# number NAME: from what dg run prints
number() { sed -n "s/^$1: [^=]*= //p"; }

"$DG" train "$judge/run.yaml" "${source[@]}" --out "$out/classifier" --resume-if-exists $TRAIN
"$DG" train "$here/run.yaml" "${source[@]}" --set log.samples_every=0 --out "$out/model" --resume-if-exists -D T="$T" $MODEL $TRAIN

# The classifier on the test set, whose features are the real ones; then images of the training set as if they had been sampled.
accuracy=$(judge accuracy --weights "$out/classifier" --data "$test" --data-options "$range" -D batch="$((all < 500 ? all : 500))" |
    number result)
judge real --weights "$out/classifier" --data "$test" --data-options "$range" -D batch="$((all < 500 ? all : 500))" \
    --save "$out/real.safetensors" >"$out/real.txt"
model images n="$N" each="$((kept / N))" --data "$train" --data-options "$range" --seed 3 -o "$out/images"

model images n="$N_BITS" each="$((all / N_BITS))" --data "$test" --data-options "$range" -o "$out/bits"
[ -e "$out/gamma.npy" ] || model gamma --weights "$out/model" --data "$out/images" -D batch="$((N < 50 ? N : 50))" \
    Ks="[${ANALYTIC// /,}]" -o "$out/gamma.npy"

# bits VARIANCE STEPS: mean and standard error, in bits/dim
bits() {
    local file=$out/bits/$1-$2.txt
    [ -e "$file" ] || { model bits variance="$1" steps="$2" gamma=@"$out/gamma.npy" --weights "$out/model" --data "$out/bits" \
        -D batch="$((N_BITS < 50 ? N_BITS : 50))" >"$file.part" && mv "$file.part" "$file"; }
    printf '%.3f ± %.3f' "$(number bits <"$file")" "$(number stderr <"$file")"
}

# judged TITLE STEPS FILE N BITS SECONDS: a row of the table; the file's labels lie beside it
judged() {
    judge judge --weights "$out/real.safetensors" --data "$3" -D batch="$(($4 < 500 ? $4 : 500))" -D total="$4" >"$3.txt"
    printf '| %s | %s | %d | %.1f | %.3f | %s | %s |\n' "$1" "$2" "$4" "$(number agreement <"$3.txt" | awk '{print 100 * $1}')" \
        "$(number frechet <"$3.txt")" "$5" "$6"
}

# row TITLE STEPS NAME N BITS ENTRY ARGUMENTS...: samples, unless they are there, and their row
row() {
    local title=$1 steps=$2 file=$out/$3.npy clock=$out/$3.seconds n=$4 bound=$5 entry=$6 start=$SECONDS
    shift 6
    if [ ! -e "$file" ]; then
        model labels n="$n" -o "$out/$(basename "$file" .npy)-labels.npy"
        "$DG" sample "$here/model.dg" -D T="$T" $MODEL --weights "$out/model" --entry "$entry" -n "$n" --seed "$SEED" y=[0,1,2,3,4,5,6,7,8,9] w="$W" "$@" -o "$file"
        echo $((SECONDS - start)) >"$clock"
    fi
    judged "$title" "$steps" "$file" "$n" "$bound" "$(cat "$clock")"
}

table() {
    local k small large optimal
    echo "| sampler | steps | samples | agreement, % | Fréchet distance | bits/dim | seconds |"
    echo "|---|---|---|---|---|---|---|"
    judged "training images" "" "$out/images" "$N" "" ""
    small=$(bits small "$T")
    row DDPM "$T" "ddpm-$T" "$N_DDPM" "$small" by_ddpm
    for k in $DDIM; do row DDIM "$k" "ddim-$k" "$N" "" sample steps="$k"; done
    for k in $SOLVER; do row DPM-Solver++ "$k" "dpm-solver-$k" "$N" "" by_dpm_solver steps="$k"; done
    for k in $ANALYTIC; do
        optimal=$(bits optimal "$k")
        row Analytic-DPM "$k" "analytic-$k" "$N" "$optimal" by_analytic steps="$k" gamma=@"$out/gamma.npy"
    done
    echo
    echo "| bits/dim | small variance | large variance | Analytic-DPM |"
    echo "|---|---|---|---|"
    for k in $ANALYTIC; do
        small=$(bits small "$k")
        large=$(bits large "$k")
        optimal=$(bits optimal "$k")
        echo "| $k steps | $small | $large | $optimal |"
    done
    echo
    echo "The classifier is right on $accuracy of the $all test images, whose features the distances go to. Guidance w = $W, seed $SEED;" \
        "Gamma from $N training images, the bound from $N_BITS test images."
}
table | tee "$out/table.md"
