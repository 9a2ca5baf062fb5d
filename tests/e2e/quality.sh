# quality.sh: the classifier learns, the judge knows real images from noise, and the one command that makes the table of samplers, small.
. "$(dirname "$0")/lib.sh"
examples=$source_folder/../../examples
judge=$examples/digit_classifier/model.dg
range='{range: [-1, 1]}'

# value NAME: of what dg run printed last
value() { sed -n "s/^$1: [^=]*= //p" out.txt; }
# holds CONDITION: in awk, of numbers
holds() { awk "BEGIN {exit !($1)}" || fail "not $1"; }

# a little training on drawn digits: labels and images belong together
exits 0 "$dg" train "$examples/digit_classifier/run.yaml" --steps 60 --out classifier -D batch=32 -D ch=8 -D horizon=60
exits 0 "$dg" run "$judge" accuracy -D ch=8 -D batch=200 --weights classifier --data sketch_digits --data-options "$range"
holds "$(value result) > 0.6"

# the judge: other images of the same law are near, the same ones nowhere else, noise is far
exits 0 "$dg" run "$judge" real -D ch=8 -D batch=200 --weights classifier --data sketch_digits --data-options "$range" --save real.safetensors
judged() { exits 0 "$dg" run "$judge" judge -D ch=8 --weights real.safetensors "$@"; }
judged -D batch=200 --data sketch_digits --data-options '{range: [-1, 1]}'
holds "$(value frechet) < 1e-4 && $(value frechet) > -1e-4 && $(value n) == 200 && $(value n_real) == 200"
judged -D batch=200 --data sketch_digits --data-options '{range: [-1, 1]}' --seed 5
near=$(value frechet)
cat >noise.dg <<'END'
entry noise() -> f32[70, 1, 28, 28] { return randn@x([70, 1, 28, 28]) }
entry labels() -> i32[70] { return i32([i % 10 for i in 0..70]) }
END
exits 0 "$dg" run noise.dg noise -o noise.npy
exits 0 "$dg" run noise.dg labels -o noise-labels.npy
judged -D batch=70 --data noise.npy
far=$(value frechet)
agreement=$(value agreement)
holds "$far > 4 * $near"
# the filling of a last batch does not count
judged -D batch=40 -D total=70 --data noise.npy
holds "$(value n) == 70 && $(value agreement) == $agreement && ($(value frechet) - $far) ^ 2 < 1e-6 * $far ^ 2"

# the table: every row, and what is there already is not made again
table() {
    exits 0 env DG="$dg" N=20 N_DDPM=10 N_BITS=10 DDIM="2 3" SOLVER=4 ANALYTIC="3 5" T=20 MODEL="-D ch=8" TRAIN="--steps 2 -D batch=4" \
        bash "$examples/mnist_table/table.sh" sketch_digits table
}
table
for row in "training images |  | 20" "DDPM | 20 | 10" "DDIM | 2 | 20" "DDIM | 3 | 20" "DPM-Solver++ | 4 | 20" "Analytic-DPM | 3 | 20" \
    "Analytic-DPM | 5 | 20"; do
    grep -F "| $row | " table/table.md | grep -qE "\| [0-9]+ \| [0-9.]+ \| [0-9.]+ \|" || fail "no row $row in $(cat table/table.md)"
done
[ "$(grep -c "± 0.[0-9]" table/table.md)" -ge 4 ] || fail "no bits/dim in $(cat table/table.md)"
cp table/table.md first.md
cp table/ddim-3.npy ddim-3.npy
table
same table/table.md first.md
grep -q '"n":20,"n_real":20,"agreement":' table/ddim-3.json || fail "$(cat table/ddim-3.json)"
# samples are those of the seed alone: made again, byte for byte
rm table/ddim-3.npy table/ddim-3.json
table
same table/ddim-3.npy ddim-3.npy
finish
