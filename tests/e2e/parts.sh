# parts.sh: joined and enlarged maps that kernels read where their parts lie give the bits of stored
# ones, whatever the seams, the kernels, the batch; and a plan says which they were.
. "$(dirname "$0")/lib.sh"
graph=$source_folder/parts.dg

# both WHAT OPTIONS...: one entry and one step of training, with and without
both() {
    local what=$1
    shift
    exits 0 "$dg" run "$graph" forward --seed 5 -o read.npy "$@"
    exits 0 "$dg" run "$graph" forward --seed 5 -o stored.npy --skip parts "$@"
    same read.npy stored.npy
    exits 0 "$dg" run "$graph" step --seed 5 --save read.safetensors "$@"
    exits 0 "$dg" run "$graph" step --seed 5 --save stored.safetensors --skip parts "$@"
    same read.safetensors stored.safetensors
    [ "$failures" = 0 ] || { echo "with $what" >&2; finish; }
}

# segments COUNT ENTRY OPTIONS...: so many concats of the plan are read in parts
segments() {
    local count=$1
    shift
    exits 0 "$dg" plan "$graph" "$@"
    grep -q "   $count concat by segments" out.txt || fail "not $count segments: $(tail -1 out.txt)"
}

both "two parts"
segments 3 forward
segments 3 step
both "one image" -D n=1
both "four parts" -D 'parts=[1,15,17,7]'
both "one channel a part" -D 'parts=[1,1,1,1]' -D groups=2
both "one group" -D groups=1
both "ragged maps" -D size=7 -D by=3
both "small maps" -D size=2 -D n=5
both "large maps" -D size=40 -D n=1
both "direct" --conv direct
both "F(2x2)" --conv winograd2
both "F(4x4)" --conv winograd4
both "avx2" --isa avx2
both "plain C" --isa generic
both "tiles" --precision bf16
exits 0 "$dg" run "$graph" step --check=naive
exits 0 "$dg" run "$graph" forward --check=poison -D 'parts=[1,15,17,7]'

# rows that are shorter than a channel
segments 1 rows
exits 0 "$dg" run "$graph" rows --seed 5 -o read.npy
exits 0 "$dg" run "$graph" rows --seed 5 -o stored.npy --skip parts
same read.npy stored.npy

# a 1x1 convolution stores its result where one of the parts was
exits 0 "$dg" plan "$graph" forward
grep -q "parts>conv2d+add.* in place$" out.txt || fail "no result over a part"
exits 0 "$dg" run "$graph" forward --check=naive
exits 0 "$dg" run "$graph" forward --check=poison

# what was decided, and why not
exits 0 "$dg" plan "$graph" forward --format json -o plan.json
grep -q '"concat.segments"' plan.json || fail "no decision on the concat"
grep -q '"upsample.segments"' plan.json || fail "no decision on the enlarged map"
grep -q '"upsample.copy:consumer-reads-whole"' plan.json || fail "no decision against"
finish
