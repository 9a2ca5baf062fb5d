#!/bin/bash
# A folder of PNG images, one folder for each class, trains and samples; the same without classes
# where no labels are wanted; what does not fit is said before the first step.
. "$(dirname "$0")/lib.sh"
cp "$source_folder/pictures.dg" model.dg

# Pictures to begin with: what fresh weights make.
"$dg" sample model.dg --n 6 -o set/noise -q y=0 || fail "sample into a folder"
"$dg" sample model.dg --n 4 --sample0 6 -o set/others -q y=1 || fail "sample into a folder"
[ "$(ls set/noise | wc -l)" = 6 ] || fail "six pictures were wanted: $(ls set/noise)"

cat >run.yaml <<END
graph: model.dg
data: {path: set, size: [3, 8, 8], flip: true, split: {train: 0.8, valid: 0.2}}
train: {steps: 30}
log: {every: 10, samples_every: 30}
save: {every: 10}
END
"$dg" train run.yaml --out run -q || fail "train on a folder"
grep -q '"classes": 2' run/run.json || fail "two classes were wanted: $(cat run/run.json)"
[ -s run/samples/step-0000030.png ] || fail "no samples"
"$dg" train run.yaml --out again -q || fail "train again"
same_runs run again

# Moved away from its data a run still samples; its data is missed by name.
mkdir elsewhere && mv run elsewhere/run && mv set gone
"$dg" sample elsewhere/run -q -o a.png && "$dg" sample again -q -o b.png || fail "sample a moved run"
same a.png b.png
expect 5 "error[E501]: there is no" "$dg" resume elsewhere/run --steps 40
mv gone set

# Pictures of another size are scaled; those of another kind are refused.
sed -i 's/size: \[3, 8, 8\]/size: [1, 8, 8]/' run.yaml
expect 3 "error[E132]: x: the input is f32[8, 3, 8, 8], one sample of folder is f32[1, 8, 8]" "$dg" train run.yaml --out bad
sed -i 's/size: \[1, 8, 8\]/size: [3, 4, 4], pad: 2/' run.yaml
expect 0 "" "$dg" train run.yaml --out padded
head -c 60 set/noise/00000.png >cut && cp cut set/noise/00000.png
expect 4 "set/noise/00000.png@" "$dg" train run.yaml --out bad
finish
