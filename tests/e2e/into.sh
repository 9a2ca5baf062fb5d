# into.sh: parts that their steps store where they belong have the bits of copied ones, whatever their
# sizes, the kernels, the order; and a plan says what became of each.
. "$(dirname "$0")/lib.sh"
graph=$source_folder/into.dg

# both WHAT OPTIONS...: a result, one of a loop, a step of training, and gradients kept in places,
# with and without
both() {
    local what=$1 entry
    shift
    for entry in forward trips; do
        exits 0 "$dg" run "$graph" $entry --seed 5 -o stored.npy "$@"
        exits 0 "$dg" run "$graph" $entry --seed 5 -o copied.npy --skip into "$@"
        same stored.npy copied.npy
    done
    for entry in step kept; do
        exits 0 "$dg" run "$graph" $entry --seed 5 --save stored.safetensors "$@"
        exits 0 "$dg" run "$graph" $entry --seed 5 --save copied.safetensors --skip into "$@"
        same stored.safetensors copied.safetensors
    done
    [ "$failures" = 0 ] || { echo "with $what" >&2; finish; }
}

both "three heads"
both "one sample, one head" -D n=1 -D heads=1
both "one token" -D tokens=1
both "many tokens" -D tokens=200
both "odd widths" -D width=15
both "wide heads" -D width=256 -D heads=1 -D tokens=40
both "q, k, v of each head" -D 'layout="legacy"'
both "q, k, v of each channel" -D 'layout="edm"'
both "without attention's kernel" --skip patterns
both "unfused" --skip fuse
both "in the order of the source" --skip schedule
both "avx2" --isa avx2
both "plain C" --isa generic
both "tiles" --precision bf16 -D width=96 -D tokens=64
for entry in forward trips step kept; do
    exits 0 "$dg" run "$graph" $entry --check=naive
    exits 0 "$dg" run "$graph" $entry --check=poison
done

# the gradients of q, k and v and of the split, time, columns; not those of a small parameter, made far
# apart where most bytes are taken
exits 0 "$dg" plan "$graph" step
grep -q "   6 put together in place   1 copy" out.txt || fail "not so many in place: $(tail -1 out.txt)"
grep -q "concat copy *grad.m.net.ends" out.txt || fail "another copy"
exits 0 "$dg" plan "$graph" kept
grep -q "   1 put together in place   0 copies" out.txt || fail "not in its place: $(tail -1 out.txt)"
exits 0 "$dg" plan "$graph" step --format json -o plan.json
grep -q '"concat.into"' plan.json || fail "no decision on a concat"
grep -q '"copy.into"' plan.json || fail "no decision on a copy"
grep -q '"concat.copy:along-another-axis,raises-peak"' plan.json || fail "no decision against"
grep -q '"concat part"' plan.json || fail "no alias is a concat part"
exits 0 "$dg" plan "$graph" step --skip into
grep -q "   7 copies" out.txt || fail "without it: $(tail -1 out.txt)"
finish
