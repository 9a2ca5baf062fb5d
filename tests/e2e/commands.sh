# commands.sh: the verbs on small files: exit codes, messages, help.
. "$(dirname "$0")/lib.sh"

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

exits 0 "$dg" --version
grep -q "OpenBLAS" out.txt || fail "--version does not name OpenBLAS"
exits 2 "$dg"
exits 0 "$dg" help
for verb in check fmt run test params plan train resume sample interp replay eval curve info weights ops explain help; do
    exits 0 "$dg" help $verb
    [ "$(wc -l <out.txt)" -le 40 ] || fail "help of $verb is longer than 40 lines"
    exits 0 "$dg" $verb --help
done
exits 0 "$dg" help --json
exits 2 "$dg" trian
says "did you mean 'train'?"
exits 2 "$dg" check --threads 1.5 good.dg
says "E213"
exits 2 "$dg" check --thread 2 good.dg
says "did you mean '--threads'?"
exits 2 "$dg" check --isa sse good.dg
exits 2 "$dg" plan good.dg apply --format text --format json
says "is given twice"
exits 2 env DG_THREADS=many "$dg" check good.dg
says "env DG_THREADS"

exits 0 "$dg" check good.dg
exits 0 "$dg" test good.dg
grep -q "1 passed, 0 failed" out.txt || fail "test does not count"
exits 0 "$dg" params good.dg
grep -q "net.line.w" out.txt || fail "params does not list net.line.w"
exits 0 "$dg" run good.dg ones_sum k=5
grep -q "= 5.0" out.txt || fail "ones_sum is not 5"
exits 0 "$dg" run good.dg ones_sum --precision f64
exits 2 "$dg" run good.dg apply
says "no data"
exits 3 "$dg" run good.dg ones_sum k=many
exits 3 "$dg" plan good.dg appply
says "did you mean 'apply'?"
exits 3 "$dg" check -D m=3 good.dg
exits 5 "$dg" check missing.dg

cat >failing.dg <<'END'
test "two is three" { assert sum(ones([2])) == 3.0, "not yet" }
END
exits 2 "$dg" test --check=naive good.dg
exits 8 "$dg" test failing.dg
says "not yet"
says "2.0"

# results as an object: small ones with their elements in order, large ones by type
cat >results.dg <<'END'
entry both() -> f32[2] {
  report("n", 3.5)
  report("inf", exp(f32(1000.0)))
  report("big", ones([100]))
  return f32([1.0, 2.0])
}
END
exits 0 "$dg" run results.dg both --json
grep -qxF '{"v":1,"event":"end","verb":"run","entry":"both","exit":0,"results":{"result":{"type":"f32[2]","values":[1.0,2.0]},"n":{"type":"f32","value":3.5},"inf":{"type":"f32","value":"inf"},"big":{"type":"f32[100]"}}}' out.txt ||
    fail "dg run --json: $(cat out.txt)"
exits 0 "$dg" run results.dg both --json -o both
grep -qF '"exit":0,"out":"both","results":{' out.txt && [ -f both/big.npy ] || fail "dg run --json -o: $(cat out.txt)"

# events, from the first to the last line, an error between them
[ "$(head -1 out.txt)" = "{\"v\":1,\"event\":\"start\",\"verb\":\"run\",\"version\":\"$("$dg" --version | sed -n '1s/dg \([0-9.]*\).*/\1/p')\"}" ] ||
    fail "the first event: $(cat out.txt)"
[ "$(wc -l <out.txt)" = 2 ] || fail "two events were wanted: $(cat out.txt)"
exits 3 "$dg" run results.dg none --json
[ "$(cut -c1-24 out.txt)" = "$(printf '%s\n' '{"v":1,"event":"start","' '{"event":"error","id":"E' '{"v":1,"event":"end","ve')" ] ||
    fail "events of an error: $(cat out.txt)"
[ "$(tail -1 out.txt)" = '{"v":1,"event":"end","verb":"run","exit":3}' ] || fail "the last event: $(cat out.txt)"
cat >titles.dg <<'END'
test "a \"quoted\" title" { assert 1 == 1 }
test "wrong" { assert 1 == 2 }
END
exits 3 "$dg" test titles.dg --json
grep -qF '"event":"test","verb":"test","title":"a \"quoted\" title","passed":true,' out.txt ||
    fail "a title with quotes: $(cat out.txt)"
tail -1 out.txt | grep -qF '"event":"end","verb":"test","exit":3}' || fail "the end of tests: $(cat out.txt)"

# plans: the same bytes again, dumps that continue
exits 0 "$dg" plan good.dg apply --format json --canonical -o a.json
exits 0 "$dg" plan good.dg apply --format json --canonical -o b.json
same a.json b.json
exits 0 "$dg" plan good.dg apply --format dot
exits 0 "$dg" plan good.dg apply -q
exits 0 "$dg" plan good.dg apply --dump simplify -o simplify.ir
exits 0 "$dg" plan --from simplify.ir --format json --canonical
exits 2 "$dg" plan good.dg apply --skip grad
exits 0 "$dg" plan good.dg apply --skip fuse --skip cse
exits 0 "$dg" info a.json
grep -q "plan" out.txt || fail "info does not know a plan"

# fmt
printf 'entry f( )->f32{return 1.0+2.0}   # sum\n' >ugly.dg
exits 8 "$dg" fmt --check ugly.dg
exits 0 "$dg" fmt ugly.dg
exits 0 "$dg" fmt --check ugly.dg
grep -q "# sum" ugly.dg || fail "fmt lost a comment"
"$dg" fmt - <ugly.dg >out.txt 2>err.txt || fail "fmt of standard input"
same out.txt ugly.dg

# the output is checked
[ -e /dev/full ] && { "$dg" help >/dev/full 2>err.txt; [ $? = 5 ] || fail "a full disk goes unnoticed"; }

exits 0 "$dg" ops
exits 0 "$dg" ops conv2d
exits 2 "$dg" ops con2d
says "did you mean 'conv2d'?"
exits 0 "$dg" explain E018
exits 2 "$dg" explain E0
# every id that the sources name is explained
root=$source_folder/../..
ids=$(grep -rhoE '"[EW][0-9]{3}"' "$root/compiler" "$root/runtime" "$root/ops" --include='*.[chly]' | tr -d '"' | sort -u)
[ "$(echo "$ids" | wc -l)" -gt 100 ] || fail "few ids: $ids"
for id in $ids; do exits 0 "$dg" explain "$id"; done

# OpenBLAS is loaded for eigenvectors alone; within 400 MB of addresses it cannot be (nor can the
# shadow memory of a sanitizer).
cat >spread.dg <<'END'
entry spread(n: int = 3) -> f32[n] {
  (w, v) = eigh(ones([n, n]))
  return w
}
END
exits 0 "$dg" run spread.dg spread
if (ulimit -v 400000 && "$dg" --version >/dev/null 2>&1); then
    exits 0 bash -c 'ulimit -v 400000; "$1" run good.dg ones_sum' - "$dg"
    exits 5 bash -c 'ulimit -v 400000; "$1" run spread.dg spread' - "$dg"
    says "E520"
fi
"$dg" plan good.dg ones_sum --format json >plan.json
grep -q '"blas_core": "none"' plan.json || fail "a plan without LAPACK names its core"
finish
