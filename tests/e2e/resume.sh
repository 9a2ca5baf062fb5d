#!/bin/bash
# A run stopped again and again, by signals and by SIGKILL, ends with the bytes of one never stopped;
# so does one on another number of threads, and one whose folder was moved in between.
. "$(dirname "$0")/lib.sh"
cp "$source_folder/tiny.dg" model.dg
cat >run.yaml <<END
graph: model.dg
config: {batch: 1024, width: 64}
data: {kind: eight_gaussians}
train: {steps: 1500, seed: 3}
sample: {n: 40}
log: {every: 10, samples_every: 300, eval_every: 200}
save: {every: 300, keep: {last: 2}}
END

"$dg" train run.yaml --out whole -q --threads 2 || fail "train"

"$dg" train run.yaml --out one -q --threads 1 || fail "train on one thread"
same_runs whole one

# stop AFTER SIGNAL COMMAND...: the exit code, 0 when it was done before.
stop() {
    local after=$1 signal=$2 pid code
    shift 2
    "$@" -q 2>/dev/null &
    pid=$!
    sleep "$after"
    kill -s "$signal" $pid 2>/dev/null
    wait $pid 2>/dev/null
    code=$?
    case $signal:$code in
    INT:130 | TERM:143 | KILL:137 | *:0) ;;
    *) fail "exit $code after SIG$signal" ;;
    esac
}

# Signals come after the time that a sixth of the run takes, so that they hit on any machine.
start=$(date +%s%N)
"$dg" train run.yaml --out timed -q --steps 250 || fail "train for the time"
taken=$(($(date +%s%N) - start))
part=$((taken / 1000000000)).$(printf %09d $((taken % 1000000000)))

stop "$part" INT "$dg" train run.yaml --out often --threads 2
mv often moved && mv moved often
stop "$part" TERM "$dg" resume often
stop "$part" KILL "$dg" resume often
stop "$part" INT "$dg" resume often --threads 1
stop "$part" TERM "$dg" resume often
"$dg" resume often -q || fail "the last resume"
same_runs whole often

# The pictures, too, those of the runs (above) and those made now: no byte tells the folders apart.
grep -q '\.png$' <(ls whole/samples) || fail "no pictures in the run"
"$dg" sample whole -q -o whole.png y=3 --threads 2 && "$dg" sample one -q -o one.png y=3 --threads 1 &&
    (cd often && "$dg" sample . -q -o ../often.png y=3 --threads 1) || fail "sample the three runs"
same whole.png one.png
same whole.png often.png
[ "$(grep -c ' train saved .* at step' often/log.txt)" -ge 2 ] || fail "the run was hardly interrupted"

# On from the end: the same as a longer run from the start.
"$dg" train run.yaml --out longer -q --steps 1600 || fail "longer run"
"$dg" resume often -q --steps 1600 || fail "resume to more steps"
same longer/checkpoints/step-0001600/weights.safetensors often/checkpoints/step-0001600/weights.safetensors
same longer/checkpoints/step-0001600/state.safetensors often/checkpoints/step-0001600/state.safetensors

# Samples are those of training; sample0 goes on where the first ones ended.
"$dg" sample whole -q -o a.npy --n 32 y=3 && "$dg" sample whole -q -o b.npy --n 16 --sample0 16 y=3 || fail "sample"
tail -c 128 a.npy >a.tail && tail -c 128 b.npy >b.tail && same a.tail b.tail

# Weights load while the program compiles: a damaged newest checkpoint is said and the one before it taken, as on one thread; where
# both fail, the program is what is said.
"$dg" sample whole -q -o sound.npy --n 4 y=3 || fail "sample"
latest=whole/checkpoints/$(cat whole/checkpoints/latest)
printf 'XXXX' | dd of="$latest/weights.safetensors" bs=1 seek=2000 conv=notrunc 2>/dev/null
for threads in 1 2; do
    "$dg" sample whole -q -o "hurt$threads.npy" --n 4 y=3 --threads "$threads" 2>said || fail "sample of a damaged run"
    grep -q 'warning\[W431\]: is damaged' said || fail "no word of the damaged checkpoint: $(cat said)"
done
same hurt1.npy hurt2.npy
cmp -s hurt1.npy sound.npy && fail "the damaged weights were taken"
"$dg" sample whole -q -o no.npy nosuch=1 --threads 2 2>said && fail "an unknown argument"
[ "$(grep -c 'error\[' said)" = 1 ] && grep -q "no argument 'nosuch'" said || fail "not one error: $(cat said)"
finish
