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
    real=all
else
    source=(--set data.kind="$data")
    train=$data
    test=$data
    all=$N
    kept=$N
    real=equal
fi
range='{range: [-1, 1]}'
model() { "$DG" run "$here/model.dg" -D T="$T" $MODEL "$@"; }
# number NAME: from what dg run prints; field NAME FILE: from an object of --json
number() { sed -n "s/^$1: [^=]*= //p"; }
field() { grep -oE "\"$1\":[-0-9.e+]+" "$2" | cut -d: -f2; }

"$DG" train "$judge/run.yaml" "${source[@]}" --out "$out/classifier" --resume-if-exists $TRAIN
"$DG" train "$here/run.yaml" "${source[@]}" --set log.samples_every=0 --out "$out/model" --resume-if-exists -D T="$T" $MODEL $TRAIN

# The classifier on the test set, whose images are the real ones; images of the training set as if they had been sampled.
accuracy=$("$DG" run "$judge/model.dg" accuracy --weights "$out/classifier" --data "$test" --data-options "$range" \
    -D batch="$((all < 500 ? all : 500))" | number result)
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

# judged TITLE STEPS NAME N BITS RUN|SAMPLES ARGUMENTS...: a row of the table, made unless it is there. The real images are the whole test
# set, or as many as there are samples of a set that has no end.
judged() {
    local title=$1 steps=$2 file=$out/$3.json n=$4 bound=$5 start=$SECONDS
    shift 5
    if [ ! -e "$file" ]; then
        "$DG" eval "$@" --judge "$out/classifier" --data "$test" --real "$real" -n "$n" --json | tail -n 1 >"$file.part"
        sed -i "s/}$/,\"seconds\":$((SECONDS - start))}/" "$file.part"
        mv "$file.part" "$file"
    fi
    printf '| %s | %s | %d | %.1f | %.3f | %s | %s |\n' "$title" "$steps" "$n" "$(field agreement "$file" | awk '{print 100 * $1}')" \
        "$(field frechet "$file")" "$bound" "$(field seconds "$file")"
}

# row TITLE STEPS NAME N BITS ENTRY ARGUMENTS...: samples of the model; all rows begin with the same noise
row() {
    local entry=$6
    judged "${@:1:5}" "$out/model" --entry "$entry" --seed "$SEED" w="$W" "${@:7}" --out "$out/$3.npy"
}

table() {
    local k small large optimal
    echo "| sampler | steps | samples | agreement, % | Fréchet distance | bits/dim | seconds |"
    echo "|---|---|---|---|---|---|---|"
    judged "training images" "" images "$N" "" "$out/images"
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
