# examples.sh: every example trains and samples with the same two commands, small; and the figures that the large plan promises.
. "$(dirname "$0")/lib.sh"
examples=$source_folder/../../examples

# small EXAMPLE DEFINITIONS...: three steps, four samples.
small() {
    local name=$1
    shift
    exits 0 "$dg" train "$examples/$name/run.yaml" --steps 3 --out "run-$name" --set log.samples_every=0 "$@"
    exits 0 "$dg" sample "run-$name" -n 4 steps=2 -o "$name.png"
    exits 0 "$dg" info "$name.png"
    grep -q "PNG" out.txt || fail "$name.png is no picture"
}

exits 0 "$dg" train "$examples/swiss_roll/run.yaml" --steps 3 --out roll --set log.samples_every=0
exits 0 "$dg" sample roll -n 100 -o roll.png
exits 0 "$dg" train "$examples/swiss_roll/dpm2015.yaml" --steps 3 --out roll-2015 -D batch=64
exits 0 "$dg" run "$examples/swiss_roll/dpm2015.dg" bound n=100 --weights roll-2015 --data swiss_roll
grep -q "^difference: f32 = " out.txt || fail "the bound of 2015 is not compared: $(cat out.txt)"
exits 0 "$dg" train "$examples/heartbeat/run.yaml" --steps 3 --out beat -D batch=64
exits 0 "$dg" run "$examples/heartbeat/model.dg" bound n=20 --weights beat --data heartbeat
grep -q "^gap: f32 = " out.txt || fail "heartbeat reports no gap: $(cat out.txt)"
exits 0 "$dg" sample beat -n 4 -o beats.npy
exits 0 "$dg" train "$examples/eight_gaussians/run.yaml" --steps 3 --out ring --set log.samples_every=0 -D width=16 -D levels=4
exits 0 "$dg" sample ring -n 20 each=1 -o ring.png
for entry in judge_langevin judge_corrector judge_flow; do
    exits 0 "$dg" run "$examples/eight_gaussians/model.dg" $entry n=20 --weights ring -D width=16 -D levels=4
    grep -q "^largest: f32 = 0\|^largest: f32 = 1" out.txt || fail "$entry: $(cat out.txt)"
done
exits 0 "$dg" run "$examples/eight_gaussians/model.dg" loglik n=8 steps=4 --weights ring -D width=16 -D levels=4 --data eight_gaussians
grep -q "^error: f32 = " out.txt || fail "loglik reports no error: $(cat out.txt)"
small sketch_digits -D batch=4 -D ch=8
small dit -D batch=4 -D depth=1
for kind in kl vq; do
    exits 0 "$dg" train "$examples/latent/autoencoder.yaml" --steps 2 --out "ae-$kind" -D batch=2 -D kind=$kind
    codebook=$([ $kind = vq ] && echo "--init quantise=ae-vq" || true)
    small latent --init "enc=ae-$kind" --init "dec=ae-$kind" $codebook -D batch=2 -D ch=8 -D kind=$kind
    exits 8 "$dg" weights diff "ae-$kind" run-latent
    grep -E "^. (enc|dec|quantise)\." out.txt && fail "$kind: the second run does not hold the autoencoder as it was"
    rm -rf run-latent
done
exits 0 "$dg" train "$examples/cifar10/run.yaml" --steps 2 --out cifar --set log.samples_every=0 -D batch=2 -D ch=32
if [ -d "$source_folder/../../../shared/data/mnist" ]; then
    small mnist -D batch=2 -D ch=8 -D groups=8 --set data.path="$source_folder/../../../shared/data/mnist"
else
    echo "mnist is skipped: no data"
fi

# the library and the examples are in the form that dg fmt gives
exits 0 "$dg" fmt --check $(find "$examples" "$source_folder/../../graphs" -name '*.dg')

# the same numbers wherever values lie, and with dead bytes poisoned
exits 0 "$dg" run "$examples/sketch_digits/model.dg" step -D batch=2 --data sketch_digits --check=naive
exits 0 "$dg" run "$examples/sketch_digits/model.dg" step -D batch=2 --data sketch_digits --check=poison

# the 35.7 M U-Net: what its plan promises
exits 0 "$dg" plan "$examples/cifar10/model.dg" step -D batch=32 -q --canonical
grep -q "^304 parameter tensors, 35.75 M values" out.txt || fail "parameters of the U-Net: $(cat out.txt)"
figures=$(sed -n 's/^peak \([0-9.]*\) MiB.*ratio \([0-9.]*\) *naive \([0-9.]*\) MiB.*/\1 \2 \3/p' out.txt)
echo "$figures" | awk '{exit !(NF == 3 && $1 <= 1200 && $2 <= 1.01 && 3 * $1 <= $3)}' || fail "memory of the U-Net: $figures"
exits 0 "$dg" plan "$examples/cifar10/model.dg" step -D batch=32 --format json --canonical -o first.json
for i in 1 2 3; do
    exits 0 "$dg" plan "$examples/cifar10/model.dg" step -D batch=32 --format json --canonical -o again.json
    same first.json again.json
done

# Ten steps and a thousand: the same plan but for its tables, which have a row for each step (24 KiB of the time and its projections).
for steps in 10 1000; do
    exits 0 "$dg" plan "$examples/cifar10/model.dg" sample steps=$steps -q --canonical
    grep "steps from" out.txt | sed 's/ from [0-9 ]* nodes//' >plan.$steps
    "$dg" plan "$examples/cifar10/model.dg" sample steps=$steps --format json --canonical |
        tr '{' '\n' | sed -n 's/.*"name": *"arena", *"bytes": *\([0-9]*\).*/\1/p' >arena.$steps
done
grown=$(($(cat arena.1000) - $(cat arena.10)))
[ "$grown" -ge 0 ] && [ "$grown" -le $((990 * 24576)) ] || fail "the arena grows by $grown bytes from 10 to 1000 steps"
same plan.10 plan.1000
finish
