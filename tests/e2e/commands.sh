# commands.sh: the verbs on small files: exit codes, messages, help.
. "$ROOT/tests/e2e/common.sh"
rm -rf ./*

cat >good.dg <<'END'
## A line.
config n = 4
model net = fn(x) => line(x)
block line(x: f32[B, C]) -> f32[B, 1] {
  param w : f32[C, 1] = 0.5
  return matmul(x, w)
}
entry apply(x: f32[n, 2]) -> f32[n, 1] { return net(x) }
entry ones_sum(k: int = 3) -> f32 { return sum(ones([k])) }
test "one and one" { assert sum(ones([2])) == 2.0 }
END

exits 0 "$DG" --version
grep -q "OpenBLAS" out || fail "--version does not name OpenBLAS"
exits 2 "$DG"
exits 0 "$DG" help
for verb in check fmt run test params plan train resume sample info weights ops explain help; do
    exits 0 "$DG" help $verb
    [ "$(wc -l <out)" -le 40 ] || fail "help of $verb is longer than 40 lines"
    exits 0 "$DG" $verb --help
done
exits 0 "$DG" help --json
exits 2 "$DG" trian
says "did you mean 'train'?"
exits 2 "$DG" check --threads 1.5 good.dg
says "E213"
exits 2 "$DG" check --thread 2 good.dg
says "did you mean '--threads'?"
exits 2 "$DG" check --isa sse good.dg
exits 2 "$DG" plan good.dg apply --format text --format json
says "is given twice"
exits 2 env DG_THREADS=many "$DG" check good.dg
says "env DG_THREADS"

exits 0 "$DG" check good.dg
exits 0 "$DG" test good.dg
grep -q "1 passed, 0 failed" out || fail "test does not count"
exits 0 "$DG" params good.dg
grep -q "net.line.w" out || fail "params does not list net.line.w"
exits 0 "$DG" run good.dg ones_sum k=5
grep -q "= 5.0" out || fail "ones_sum is not 5"
exits 0 "$DG" run good.dg ones_sum --precision f64
exits 2 "$DG" run good.dg apply
says "no data"
exits 3 "$DG" run good.dg ones_sum k=many
exits 3 "$DG" plan good.dg appply
says "did you mean 'apply'?"
exits 3 "$DG" check -D m=3 good.dg
exits 5 "$DG" check missing.dg

cat >failing.dg <<'END'
test "two is three" { assert sum(ones([2])) == 3.0, "not yet" }
END
exits 8 "$DG" test failing.dg
says "not yet"
says "2.0"

# plans: the same bytes again, dumps that continue
exits 0 "$DG" plan good.dg apply --format json --canonical -o a.json
exits 0 "$DG" plan good.dg apply --format json --canonical -o b.json
same a.json b.json
exits 0 "$DG" plan good.dg apply --format dot
exits 0 "$DG" plan good.dg apply -q
exits 0 "$DG" plan good.dg apply --dump simplify -o simplify.ir
exits 0 "$DG" plan --from simplify.ir --format json --canonical
exits 2 "$DG" plan good.dg apply --skip grad
exits 0 "$DG" plan good.dg apply --skip fuse --skip cse
exits 0 "$DG" info a.json
grep -q "plan" out || fail "info does not know a plan"

# fmt
printf 'entry f( )->f32{return 1.0+2.0}   # sum\n' >ugly.dg
exits 8 "$DG" fmt --check ugly.dg
exits 0 "$DG" fmt ugly.dg
exits 0 "$DG" fmt --check ugly.dg
grep -q "# sum" ugly.dg || fail "fmt lost a comment"
exits 0 sh -c "\"$DG\" fmt - <ugly.dg"
same out ugly.dg

# the output is checked
[ -e /dev/full ] && { "$DG" help >/dev/full 2>err; [ $? = 5 ] || fail "a full disk goes unnoticed"; }

exits 0 "$DG" ops
exits 0 "$DG" ops conv2d
exits 2 "$DG" ops con2d
says "did you mean 'conv2d'?"
exits 0 "$DG" explain E018
exits 2 "$DG" explain E0
finish
