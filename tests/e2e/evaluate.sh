#!/bin/bash
# dg eval and dg curve over a folder of pictures: a last batch that is smaller, totals that begin
# fresh, results as text, JSON, CSV, NPY and SVG, and what is said where something is missing.
. "$(dirname "$0")/lib.sh"
cp "$source_folder/measures.dg" model.dg
"$dg" sample model.dg --n 53 -o set -q || fail "pictures to begin with"
cat >run.yaml <<END
graph: model.dg
data: {path: set, size: [1, 8, 8], split: {train: 0.5, valid: 0.5}}
train: {steps: 4}
log: {every: 1, samples_every: 0, eval_every: 2}
save: {every: 2}
END
exits 0 "$dg" train run.yaml --out run -q

# number KEY: of the last object of out.txt
number() { tail -n 1 out.txt | grep -oE "\"$1\":-?[0-9.e+-]+" | head -n 1 | cut -d: -f2; }
# near A B: equal but for rounding of single precision
near() { awk "BEGIN {d = $1 - ($2); s = $2 < 0 ? -($2) : $2; exit !(d * d <= 1e-10 * (s * s + 1e-6))}" || fail "$1 is not $2"; }

# 53 samples by batches of 16: the last batch is a plan of its own; totals and draws are those of one
exits 0 "$dg" eval run --split all --json --out all.json
[ "$(number n)" = 53 ] || fail "53 samples were wanted: $(cat out.txt)"
[ "$(number terms)" = 3 ] || fail "three terms were wanted: $(cat out.txt)"
bits=$(number bits_per_dim) se=$(number se) prior=$(number prior)
same all.json <(tail -n 1 out.txt)
grep -q '"event":"end","verb":"eval","exit":0' out.txt || fail "no end: $(cat out.txt)"
exits 0 "$dg" eval run --split all --json -D batch=53
near "$(number bits_per_dim)" "$bits"
near "$(number se)" "$se"
near "$(number prior)" "$prior"
grep -q '"parts":{"terms":\[' out.txt || fail "no parts: $(cat out.txt)"
near "$(grep -o '"parts":{"terms":\[[^],]*' out.txt | grep -o '[0-9.e+-]*$')" "$bits"

# the number of each sample; the terms
exits 0 "$dg" eval run weight=2.0 --split all --out each.npy
grep -q "bits/dim, standard error .* of 53 samples (folder, all), step 4" out.txt || fail "text: $(cat out.txt)"
exits 0 "$dg" info each.npy
grep -qF "f64[53]" out.txt || fail "each.npy: $(cat out.txt)"
exits 0 "$dg" eval run --split all --out terms.csv -q
[ "$(head -n 1 terms.csv)" = "term,terms" ] && [ "$(wc -l <terms.csv)" = 4 ] || fail "$(cat terms.csv)"

# parts, numbers, other data; without a word the valid part
exits 0 "$dg" eval run --json
[ "$(number n)" = 26 ] || fail "the valid part was wanted: $(cat out.txt)"
exits 0 "$dg" eval run --split train --n 20 --json
[ "$(number n)" = 20 ] || fail "20 samples were wanted: $(cat out.txt)"
exits 0 "$dg" eval run --data sketch_digits --n 40 --json
grep -q '"data":"sketch_digits"' out.txt || fail "other data: $(cat out.txt)"
exits 0 "$dg" eval run --entry plain --split all --n 32 --json
[ -n "$(number least)" ] || fail "no report: $(cat out.txt)"
plain=$(number bits_per_dim)
exits 0 "$dg" eval run --entry plain --split all --n 32 --json -D batch=32
near "$(number bits_per_dim)" "$plain"
exits 0 "$dg" eval run --entry fixed --split all --json
[ "$(number n)" = 48 ] || fail "three whole batches were wanted: $(cat out.txt)"
says "5 samples at the end were left out"

# evaluation in training: totals begin fresh each time, and no checkpoint holds them
[ "$(grep -c '"eval":{"eval":' run/metrics.jsonl)" = 2 ] || fail "two evaluations were wanted: $(cat run/metrics.jsonl)"
[ "$(grep -c '"count":16' run/metrics.jsonl)" = 2 ] || fail "totals went on: $(cat run/metrics.jsonl)"
grep -qa running run/checkpoints/step-0000004/state.safetensors && fail "totals of an evaluation in a checkpoint"

# the curve
exits 0 "$dg" curve run --n 20
[ "$(head -n 1 out.txt)" = "sent,rate,distortion" ] && [ "$(wc -l <out.txt)" = 12 ] || fail "$(cat out.txt)"
[ "$(sed -n 2p out.txt)" = "0,0.0,1.0" ] || fail "the first point: $(sed -n 2p out.txt)"
exits 0 "$dg" curve run --n 20 --points 3 -o curve.csv -q
[ "$(cut -d, -f1,2 curve.csv | tr '\n' ' ')" = "sent,rate 0,0.0 5,2.5 10,5.0 " ] || fail "$(cat curve.csv)"
exits 0 "$dg" curve run steps=4 --json -o curve.svg
grep -qF '"sent":[0,1,2,3],"rate":[0.0,0.5,1.0,1.5]' out.txt || fail "$(cat out.txt)"
[ -n "$(number se)" ] || fail "no standard error: $(cat out.txt)"
grep -q '^<svg xmlns' curve.svg && [ "$(tail -n 1 curve.svg)" = "</svg>" ] || fail "no SVG"
[ "$(grep -c 'class="line"' curve.svg)" = 3 ] && [ "$(grep -c '<circle' curve.svg)" = 12 ] || fail "three lines of four points were wanted"
if command -v xmllint >/dev/null; then xmllint --noout curve.svg || fail "the SVG is not XML"; fi

# wrong uses
expect 5 "there is no such run folder" "$dg" eval missing
expect 5 "is no run folder" "$dg" eval model.dg
expect 2 "'test' is not one of train|valid|all" "$dg" eval run --split test
expect 2 "40 samples of the valid part, which has 26" "$dg" eval run --n 40
expect 2 "has no ending that says what to write" "$dg" eval run --out result
expect 2 "has no ending that says what to write" "$dg" curve run -o curve.png
expect 2 "dg curve wants a result of [steps, 2]" "$dg" curve run --entry eval
expect 2 "dg eval wants a result of [batch]" "$dg" eval run --entry curve
expect 4 "nothing fills this input of entry 'interp'" "$dg" eval run --entry interp
expect 4 "a batch of the entry is 16 samples, there are 5" "$dg" eval run --entry fixed --n 5
expect 3 "the graph has no entry 'evl', which dg eval runs" "$dg" eval run --entry evl
says "entry eval(x: f32[batch, C, H, W]) -> f32[batch]"
expect 3 "steep" "$dg" eval run steep=2
sed -i '/^entry curve/,/^}/d' model.dg
exits 0 "$dg" train run.yaml --out bare -q --set log.eval_every=0 --set data.split.valid=0
expect 3 "the graph has no entry 'curve', which dg curve runs" "$dg" curve bare
says "entry curve(x: f32[batch, C, H, W], steps: int = T) -> f32[steps, 2]"
expect 4 "this part of the data holds no samples" "$dg" eval bare --split valid
exits 0 "$dg" eval bare --json
grep -q '"split":"all"' out.txt || fail "all the data was wanted: $(cat out.txt)"
expect 3 "'log.eval_every' is set, but" "$dg" train run.yaml --out bad --set data.split.valid=0
mv set gone
expect 5 "it does not exist" "$dg" eval run
finish
