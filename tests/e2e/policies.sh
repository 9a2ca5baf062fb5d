#!/bin/bash
# One sample of the data is not a number. stop names the step and the operation, skip goes on without
# that step, rollback goes back and takes other data; no checkpoint ever holds the bad number.
. "$(dirname "$0")/lib.sh"
cp "$source_folder/tiny.dg" model.dg

# array FILE COUNT: a header of NumPy's format, then zeros.
array() {
    local head="{'descr': '$2', 'fortran_order': False, 'shape': ($3), }"
    printf '\223NUMPY\1\0' >"$1"
    printf "\\x$(printf %02x ${#head})\\0" >>"$1"
    printf '%s' "$head" >>"$1"
    head -c "$4" /dev/zero >>"$1"
}
mkdir data
array data/x.npy '<f4' '640, 2' $((640 * 8))
array data/y.npy '|u1' '640,' 640
size=$(stat -c %s data/x.npy)
printf '\377\377\377\177' | dd of=data/x.npy bs=1 seek=$((size - 4000)) conv=notrunc 2>/dev/null

cat >run.yaml <<END
graph: model.dg
data: {path: data}
train: {steps: 200, on_nonfinite: {policy: stop}}
log: {every: 5, samples_every: 0}
save: {every: 5}
END
# No weight or state of a run is NaN or infinite: its bytes hold no such pattern where numbers are.
finite() {
    "$dg" weights info "$1" >/dev/null || fail "weights of $1 do not read"
    "$dg" sample "$1" -q -o s.npy || fail "sample $1"
    tail -c 128 s.npy | od -An -tf4 | grep -qiE 'nan|inf' && fail "$1 samples what is not finite"
}

expect 7 "error[E701]: loss is nan at step" "$dg" train run.yaml --out stop
grep -q "first at step .*model.dg\|first at step .*graph.dg" err.txt || fail "no line is named: $(cat err.txt)"
grep -q '"status": "diverged"' stop/run.json || fail "status: $(cat stop/run.json)"
[ -s stop/crash/x.npy ] || fail "the batch is not kept"
[ ! -e stop/checkpoints/latest ] || finite stop

expect 0 "" "$dg" train run.yaml --out skip --set train.on_nonfinite.policy=skip
[ "$(grep -c '"event":"skipped"' skip/metrics.jsonl)" = 5 ] ||
    fail "200 steps of 16 are 5 epochs of 640, so 5 steps are skipped: $(grep event skip/metrics.jsonl)"
finite skip
expect 0 "" "$dg" train run.yaml --out skip1 --threads 1 --set train.on_nonfinite.policy=skip
same_runs skip skip1

expect 0 "" "$dg" train run.yaml --out back --set train.on_nonfinite.policy=rollback
grep -q '"event":"rolled back"' back/metrics.jsonl || fail "never rolled back: $(tail -3 back/metrics.jsonl)"
finite back

# What no other data mends ends after the limit.
expect 7 "error[E701]" "$dg" train run.yaml --out lost --set train.on_nonfinite.policy=rollback --set config.lr=1e38
[ "$(grep -c '"event":"rolled back"' lost/metrics.jsonl)" = 3 ] || fail "3 rollbacks: $(grep -c event lost/metrics.jsonl)"
finish
