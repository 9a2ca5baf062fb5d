#!/bin/bash
# --precision bf16: where it cannot be, one line says so and f32 is computed; where it can, a U-Net
# trains along the curve of f32, with the same bits on any number of threads, and may go on in f32.
. "$(dirname "$0")/lib.sh"
model=$source_folder/../../examples/sketch_digits/model.dg
cp "$model" model.dg
small=(-D batch=16 -D ch=32)

exits 0 "$dg" plan model.dg step "${small[@]}" --precision bf16 --isa avx2 --format json -o old.json
if [ "$(grep -c 'W226' err.txt)" = 1 ]; then
    grep -q '"precision": *"f32"' old.json || fail "the plan for avx2 does not say f32"
    exits 2 "$dg" plan model.dg step "${small[@]}" --precision bf16 --isa avx2 --strict
else
    grep -q 'E215' err.txt || fail "no word about --isa avx2: $(cat err.txt)"
fi

exits 0 "$dg" plan model.dg step "${small[@]}" --precision bf16 --format json -o plan.json
if grep -q 'W226' err.txt; then
    echo "skipped: no AMX here; that this is said was checked"
    [ "$failures" = 0 ] || exit 1
    exit 77
fi
grep -q '"precision": *"bf16"' plan.json || fail "the plan does not say bf16"
for kernel in conv2d_bf16 conv2d_dw_bf16 bf16_weights matmul_bf16; do
    grep -q "$kernel" plan.json || fail "no $kernel in the plan"
done
exits 0 "$dg" plan model.dg step "${small[@]}" --precision bf16 --skip bf16 --format json -o skip.json
grep -q 'conv2d_bf16' skip.json && fail "--skip bf16 left conv2d_bf16"

# Weights are laid out once, not in every step of a sampler.
exits 0 "$dg" plan model.dg sample --precision bf16 --dump hoist
awk '/loop\(/ {inside = 1} inside && /bf16_weights/ {bad = 1} END {exit bad}' out.txt ||
    fail "weights are laid out in the loop"

cat >run.yaml <<END
graph: model.dg
config: {batch: 16, ch: 32, warmup: 5}
data: {kind: sketch_digits, size: [1, 28, 28], range: [-1, 1]}
train: {steps: 60, seed: 1}
log: {every: 1, samples_every: 0}
save: {every: 60}
runtime: {precision: bf16}
END
exits 0 "$dg" train run.yaml --out bf16 -q --threads 2
exits 0 "$dg" train run.yaml --out one -q --threads 1
exits 0 "$dg" train run.yaml --out f32 -q --precision f32
same_runs bf16 one
losses() {
    grep -o '"loss":[0-9.e+-]*' "$1/metrics.jsonl" | cut -d: -f2
}
[ "$(losses bf16 | wc -l)" = 60 ] || fail "60 losses were wanted"
cmp -s <(losses bf16) <(losses f32) && fail "bf16 and f32 gave the same losses"
paste <(losses bf16) <(losses f32) |
    awk '{d = $1 - $2; if (d < 0) d = -d; if (d > 0.02 * $2) {print NR, $1, $2; bad = 1}} END {exit bad}' ||
    fail "a loss is more than 2 % from that of f32"

exits 4 "$dg" resume bf16 --steps 65 --precision f32 -q
exits 0 "$dg" resume bf16 --steps 65 --precision f32 --allow-change plan -q
[ "$(losses bf16 | wc -l)" = 65 ] || fail "the run did not go on in f32"
finish
