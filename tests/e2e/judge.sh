#!/bin/bash
# dg eval --judge: what a classifier's run says of samples, by its entries `judge` and `real`; the numbers
# of samples beside it and equal; labels and draws that belong to the index; and what is said of a wrong use.
. "$(dirname "$0")/lib.sh"
cp "$source_folder"/judged.dg "$source_folder"/judging.dg .
cat >model.yaml <<END
graph: judged.dg
data: {kind: sketch_digits, size: [1, 8, 8], range: [0, 1]}
train: {steps: 2}
sample: {args: {n: 6}}
log: {samples_every: 0}
END
sed 's/judged/judging/; s/range: .*/range: [-1, 1]}/; /^sample/d' model.yaml >judge.yaml
exits 0 "$dg" train model.yaml --out model -q
exits 0 "$dg" train judge.yaml --out judge -q

# number KEY: of the last object of out.txt
number() { tail -n 1 out.txt | grep -oE "\"$1\":-?[0-9.e+-]+" | head -n 1 | cut -d: -f2; }
# is KEY VALUE...
is() {
    while [ $# -gt 1 ]; do
        [ "$(number "$1")" = "$2" ] || fail "$1 is $(number "$1"), not $2: $(cat out.txt)"
        shift 2
    done
}
near() { awk "BEGIN {d = $1 - ($2); exit !(d * d < 1e-10)}" || fail "$1 is not $2"; }

# every second sample shows its label: the judge sees it in the corner; numbers are 1000 unless said
exits 0 "$dg" eval model --judge judge --json
is n 1000 n_real 1000 agreement 0.5 step 2 judge_step 2 exit 0
exits 0 "$dg" eval model --judge judge -n 26 --json --out result.json
is n 26 n_real 26 agreement 0.5
same result.json <(tail -n 1 out.txt)
frechet=$(number frechet) seen=$(number seen)
grep -q '"verb":"eval","exit":0,"entry":"sample","step":2,"seed":"1","judge":"judge"' out.txt || fail "$(cat out.txt)"
exits 0 "$dg" eval model --judge judge -n 26
grep -qE "^agreement 0.5000, Frechet distance [0-9.e+-]+, of 26 samples against 26 real ones \(sketch_digits, valid\), step 2$" out.txt ||
    fail "$(cat out.txt)"
grep -q "^  seen  " out.txt || fail "other reports: $(cat out.txt)"

# the same by other batches of both; arguments and labels of the model's entry
exits 0 "$dg" eval model --judge judge -n 26 n=13 --json
is agreement 0.5
near "$(number frechet)" "$frechet"
near "$(number seen)" "$seen"
exits 0 "$dg" eval model --judge judge -n 26 right=1.0 y=3 --json
is agreement 1.0 seen 3.0
exits 0 "$dg" eval model --judge judge -n 12 --entry other --seed 5 --json
is agreement 0.0 n 12

# samples as files, with their labels beside them
exits 0 "$dg" eval model --judge judge -n 26 --out samples.npy -q
exits 0 "$dg" info samples-labels.npy
grep -qF "i32[26]" out.txt || fail "$(cat out.txt)"
exits 0 "$dg" sample model -n 26 --sample0 0 -o again.npy -q
same samples.npy again.npy
cat >scaled.dg <<'END'
entry scaled(x: f32[26, 1, 8, 8]) -> f32[26, 1, 8, 8] { return 2.0 * x - 1.0 }
END
exits 0 "$dg" run scaled.dg scaled --in x=samples.npy -o inrange.npy
cp samples-labels.npy inrange-labels.npy
exits 0 "$dg" eval inrange.npy --judge judge --json
is n 26 n_real 26 agreement 0.5
near "$(number frechet)" "$frechet"
exits 0 "$dg" eval inrange.npy --judge judge -n 10 --json
is n 10 n_real 10

# real samples: another set, all of it, or as many of it from all over
exits 0 "$dg" eval model --judge judge --data inrange.npy -n 13 right=1.0 --json
is n 13 n_real 13
near "$(number real_label)" "46 / 13" # every second one, whose labels are even and shown
exits 0 "$dg" eval model --judge judge --data inrange.npy --json
is n 26 n_real 26
exits 0 "$dg" eval model --judge judge --data inrange.npy --real all -n 13 --json
is n 13 n_real 26
grep -q '"data":"npy","split":"all"' out.txt || fail "$(cat out.txt)"

# a label belongs to the index, however many are asked for
exits 0 "$dg" sample model -n 9 --sample0 17 -o part.npy -q
cat >part.dg <<'END'
entry part(x: f32[26, 1, 8, 8], p: f32[9, 1, 8, 8]) -> f32 { return max(abs(x[17:] - p)) }
END
exits 0 "$dg" run part.dg part --in x=samples.npy --in p=part.npy
grep -q "= 0.0" out.txt || fail "other samples: $(cat out.txt)"

# wrong uses
expect 2 "--real: error[E223]: says which real samples a judge compares with: add --judge RUN" "$dg" eval model --real all
expect 2 "--every: error[E223]" "$dg" eval model --judge judge --every 5
expect 5 "there is no such run folder" "$dg" eval model --judge nobody
expect 3 "the judge's graph has no entry 'judge', which dg eval --judge runs" "$dg" eval model --judge model
says "or name another in the judge's run file: entries: {judge: NAME}"
expect 4 "the entry takes no label for each sample, so there is nothing to agree with" "$dg" eval model --judge judge --entry blind
says "entry blind(y: i32[n], n: int = 16, ...)"
expect 3 "the graph has no entry 'smaple'" "$dg" eval model --judge judge --entry smaple
expect 4 "samples are [1, 4, 4], the judge's images [1, 8, 8]" "$dg" eval model --judge judge --entry small
expect 4 "sample 1 was asked for class 12, the judge knows 10" "$dg" eval model --judge judge "y=[0, 12]"
expect 4 "30 samples to be judged, and 26 real ones in the all part: only equal numbers are compared" \
    "$dg" eval model --judge judge --data inrange.npy -n 30
says "-n 26 judges as many"
expect 2 "27 samples, and inrange.npy has 26" "$dg" eval inrange.npy --judge judge -n 27
expect 2 "sketch_digits is endless: there is no whole of it" "$dg" eval model --judge judge --real all
expect 4 "the samples have no labels, so there is nothing to agree with" "$dg" eval again.npy --judge judge
says "NAME-labels.npy"
expect 2 "this is no run folder" "$dg" eval inrange.npy --judge judge w=2.0
expect 5 "nowhere" "$dg" eval nowhere --judge judge
expect 2 "has no ending that says what to write" "$dg" eval model --judge judge --out result
expect 3 "sample has no argument 'stepz'" "$dg" eval model --judge judge stepz=3
for bad in blind_judge no_numbers; do
    "$dg" train judge.yaml --out "judge_$bad" -q --set "entries.judge=$bad" || fail "train $bad"
done
expect 2 "the entry reports no number 'frechet'" "$dg" eval model --judge judge_no_numbers -n 6
expect 4 "the entry counts n = 7, and was given 6" "$dg" eval model --judge judge_blind_judge -n 6
expect 3 "has no entry 'jugde'" "$dg" train judge.yaml --out bad --set entries.judge=jugde

# --every: an argument of the entry
cp "$source_folder/measures.dg" measures.dg
sed 's/judged/measures/; /^sample/d' model.yaml >measures.yaml
exits 0 "$dg" train measures.yaml --out measures -q
expect 2 "entry 'eval' has no argument \`every\`, which this option sets" "$dg" eval measures --every 5
says "entry eval(x: f32[batch, C, H, W], every: int = 1), and pass it on to bound(..., every=every)"
expect 2 "--every" "$dg" eval measures --every 0
sed -i 's/weight: float = 1.0/weight: float = 1.0, every: int = 1/; s/each = weight/each = every * weight/' measures/graph.dg
exits 0 "$dg" eval measures --json --n 32
once=$(number bits_per_dim)
exits 0 "$dg" eval measures --every 3 --json --n 32
awk "BEGIN {exit !($(number bits_per_dim) > 2.9 * $once && $(number bits_per_dim) < 3.1 * $once)}" || fail "every did not arrive"
finish
