#!/bin/bash
# Mistakes in a run file, as a new user makes them: each gives one error at its line with a help or a
# suggestion, exit 3; what is missing 5, what is damaged 4. Nothing is left behind.
. "$(dirname "$0")/lib.sh"
cp "$source_folder/tiny.dg" model.dg

# try CODE WHAT: the run file comes from standard input.
try() {
    cat >run.yaml
    expect "$1" "$2" "$dg" train run.yaml --out run
    [ -e run ] && { fail "a run folder was made for: $2"; rm -rf run; }
}

try 3 "run.yaml:3:9: error[E104]: unknown key 'stpes' in 'train' (did you mean 'steps'?)" <<END
graph: model.dg
data: {kind: eight_gaussians}
train: {stpes: 100}
END
try 3 "run.yaml:1:8: error[E121]: cannot open graph 'modle.dg' (did you mean 'model.dg'?)" <<END
graph: modle.dg
data: {kind: eight_gaussians}
END
try 3 "run.yaml:2:14: error[E106]: no kind of data is called 'eight_gausians' (did you mean 'eight_gaussians'?)" <<END
graph: model.dg
data: {kind: eight_gausians}
END
try 3 "run.yaml:4:11: error[E131]: graph 'model.dg' has no config value 'widht' (did you mean 'width'?)" <<END
graph: model.dg
data: {kind: eight_gaussians}
# a wider net
config: { widht: 32 }
END
try 3 "run.yaml:3:16: error[E106]: 'train.steps' must be a whole number from 1 to 4294967295, found 'many'" <<END
graph: model.dg
data: {kind: eight_gaussians}
train: {steps: many}
END
try 3 "run.yaml:5:1: error[E105]: 'train' is given twice" <<END
graph: model.dg
data: {kind: eight_gaussians}
train: {steps: 3}
log: {every: 1}
train: {seed: 3}
END
try 3 "run.yaml:2:1: error[E132]: x: the input is f32[16, 2], one sample of sketch_digits is f32[1, 28, 28]" <<END
graph: model.dg
data: {kind: sketch_digits}
END
try 3 "the entry wants labels, swiss_roll has none" <<END
graph: model.dg
data: {kind: swiss_roll}
END
try 3 "run.yaml:3:18: error[E131]: graph 'model.dg' has no entry 'stepp' (did you mean 'step'?)" <<END
graph: model.dg
data: {kind: eight_gaussians}
entries: {train: stepp}
END
try 3 "run.yaml:3:18: error[E131]: 'nll' is an entry, training needs one that is declared with 'train'" <<END
graph: model.dg
data: {kind: eight_gaussians}
entries: {train: nll}
END
try 3 "run.yaml:3:6: error[E101]: not YAML" <<END
graph: model.dg
data: {kind: eight_gaussians
train: [steps: 3}
END
try 3 "run.yaml:2:1: error[E107]: 'data.path' is missing" <<END
graph: model.dg
data: {pad: 2}
END
try 3 "run.yaml:2:40: error[E131]: graph 'model.dg' has no entry argument 'z'" <<END
graph: model.dg
data: {kind: eight_gaussians, inputs: {z: data}}
END
try 3 "stepz" <<END
graph: model.dg
data: {kind: eight_gaussians}
sample: {args: {stepz: 5}}
END
try 3 "run.yaml:3:14" <<END
graph: model.dg
data: {kind: eight_gaussians}
config: {lr: .nan}
END
try 5 "run.yaml:2:14: error[E501]: there is no 'pictures'" <<END
graph: model.dg
data: {path: pictures}
END

# Damaged data: exit 4, with the byte.
mkdir mnist
printf '\0\0\10\3\0\0\0\3\0\0\0\2\0\0\0\2abc' >mnist/train-images-idx3-ubyte
try 4 "mnist/train-images-idx3-ubyte@16: error[E441]: data ends at byte 19, header promises 28 (3 x 2 x 2)" <<END
graph: model.dg
data: {path: mnist}
END
printf '\0\0\10\3\0\0\0\3\0\0\0\2\0\0\0\2abcdefghijkl' | gzip | head -c 30 >mnist/train-images-idx3-ubyte.gz
rm mnist/train-images-idx3-ubyte
try 4 "mnist/train-images-idx3-ubyte.gz@" <<END
graph: model.dg
data: {path: mnist}
END

# A run folder in the way, a lock, a damaged checkpoint, a changed graph.
cat >run.yaml <<END
graph: model.dg
data: {kind: eight_gaussians}
train: {steps: 20}
save: {every: 10}
END
"$dg" train run.yaml --out run -q || fail "train"
expect 5 "is there already" "$dg" train run.yaml --out run
expect 0 "" "$dg" train run.yaml --out run --resume-if-exists
(
    failures=0
    exec 9<>run/lock
    flock 9
    expect 5 "run: error[E512]: in use by process" "$dg" resume run
    exit "$failures"
) || fail "lock"
expect 5 "is no run folder" "$dg" resume nowhere
printf 'x' | dd of=run/checkpoints/step-0000020/weights.safetensors bs=1 seek=300 conv=notrunc 2>/dev/null
expect 4 "weights.safetensors@0: error[E431]: damaged" "$dg" resume run --at 20 --steps 25
expect 0 "W431" "$dg" resume run --steps 25
sed -i 's/lr = 1e-2/lr = 1e-3/' run/graph.dg
expect 4 "error[E434]" "$dg" resume run --steps 30
expect 0 "" "$dg" resume run --steps 30 --allow-change plan

expect 0 "going on from step 25" "$dg" resume run --at 25 --steps 35 --allow-change plan
[ "$(ls run/checkpoints)" = "latest
step-0000030
step-0000035" ] || fail "checkpoints: $(ls run/checkpoints)"

# A learning rate that diverges: exit 7, the first bad operation named, no checkpoint with it.
sed -i 's/steps: 20/steps: 2000/' run.yaml
expect 7 "error[E701]" "$dg" train run.yaml --out bad --set config.lr=1e30
grep -q "first at step" err.txt || fail "the first bad operation is not named"
[ -s bad/crash/crash.json ] || fail "no crash folder"
finish
