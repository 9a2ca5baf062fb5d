#!/bin/bash
# dg bench: its forms, its comparison with an earlier result, and the wrong things typed. No time is tested.
. "$(dirname "$0")/lib.sh"
cat >two.dg <<'END'
entry square_small(x: f32[4, 4]) -> f32[4, 4] { return x * x }
entry wide(x: f32[4, 8], n: i32[4]) -> f32[4, 8] { return x + f32(n)[:, _] }
entry needs(k: int, x: f32[4]) -> f32[4] { return x * k }
END

exits 0 "$dg" bench two.dg square wide --repeat 3
[ "$(grep -c '' out.txt)" = 4 ] || fail "a table of two entries has a head, two rows and a foot"
grep -q '^square_small  *3 ' out.txt || fail "three runs of square_small"
exits 0 "$dg" bench two.dg square wide --repeat 3 --format csv
[ "$(sed -n 1p out.txt)" = entry,runs,median_ms,min_ms,p90_ms,gflops,arena_bytes,compile_ms,first_ms ] || fail "head of the CSV"
[ "$(grep -c '^[a-z_]*,3,[0-9.]*,' out.txt)" = 2 ] || fail "rows of the CSV"
exits 0 "$dg" bench two.dg square --repeat 2 --format md
[ "$(head -n 2 out.txt | tr -cd '|' | wc -c)" = 18 ] || fail "a Markdown table of eight columns"

# A result that was far quicker, and one that was far slower.
exits 0 "$dg" bench two.dg square wide --repeat 3 --json -o now.json
sed 's/"median_ms": *[0-9.e-]*/"median_ms":0.000001/' now.json >quick.json
sed 's/"median_ms": *[0-9.e-]*/"median_ms":100000/' now.json >slow.json
exits 8 "$dg" bench two.dg square wide --repeat 3 --against quick.json
says 'square_small: error[E807]'
says 'wide: error[E807]'
exits 0 "$dg" bench two.dg square wide --repeat 3 --against slow.json
grep -q ' 0.00$' out.txt || fail "a ratio beside each row"

exits 0 "$dg" bench two.dg wide --repeat 3 --against slow.json --isa generic
says 'slow.json: warning[W808]: was measured with '
exits 0 "$dg" bench two.dg wide --repeat 3 --against slow.json --threads 1
says 'W808'
exits 8 "$dg" bench two.dg wide --repeat 3 --against slow.json --precision f64 --strict

exits 3 "$dg" bench two.dg needs --repeat 1
exits 2 "$dg" bench two.dg squares --repeat 1
says 'there are square_small, wide, needs'
exits 4 "$dg" bench two.dg wide --repeat 1 --against two.dg
exits 5 "$dg" bench two.dg wide --repeat 1 --against none.json
exits 2 "$dg" bench two.dg wide --format dot
exits 5 "$dg" bench none.dg

# Operations of the library, and the machine.
exits 0 "$dg" bench matmul_one_row --repeat 1
exits 0 "$dg" bench --roof --threads 1
grep -q '^roof: [0-9]* GFLOP/s' out.txt || fail "what the machine can do"
finish
