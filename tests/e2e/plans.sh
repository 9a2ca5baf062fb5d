# plans.sh: what is asked about plans, budgets, and what a plan promises about memory, on examples.
. "$(dirname "$0")/lib.sh"
examples=$source_folder/../../examples
model=$examples/sketch_digits/model.dg
roll=$examples/swiss_roll/model.dg
dit=$source_folder/../bench/dit.dg

# who takes the memory, why, and how long steps take
exits 0 "$dg" plan "$model" step --peak
grep -q "are taken at step" out.txt && grep -q "(all)" out.txt || fail "--peak: $(cat out.txt)"
grep -q "batch=16 instead of 32: about half" out.txt || fail "--peak names no smaller batch"
exits 0 "$dg" plan "$model" step --peak --json
grep -q '"format": "dg-peak/1.0"' out.txt || fail "--peak --json: $(head -c 200 out.txt)"
exits 0 "$dg" plan "$model" step --why net.unet.stem.out
grep -q "^made by @" out.txt || fail "--why: $(cat out.txt)"
exits 0 "$dg" plan "$model" step --why @3
exits 0 "$dg" plan "$model" step --why net.unet.stem.out --json
grep -q '"format": "dg-why/1.0"' out.txt || fail "--why --json: $(head -c 200 out.txt)"
exits 2 "$dg" plan "$model" step --why net.unet.stem.ou
says "did you mean 'net.unet.stem.out'?"
exits 2 "$dg" plan "$model" step --why net.unet.up.0.0.conv1.out
says "it may be a part of these steps: @"
exits 0 "$dg" plan "$model" step --format csv
[ "$(head -1 out.txt | cut -d, -f1-3)" = "step,kind,kernel" ] || fail "csv: $(head -1 out.txt)"
exits 0 "$dg" plan "$model" sample --format trace -o trace.json
exits 0 "$dg" plan "$roll" step --analyze -n 3
grep -q "touched" out.txt || fail "--analyze: $(tail -3 out.txt)"
# what was planned is what was touched, and what the process took
for file in "$roll" "$model"; do
    exits 0 "$dg" plan "$file" step --analyze -n 1 --sort ms --json -o analysis.json
    awk -v RS=, -F: '/"arena_planned"/ {p = $2} /"arena_touched"/ {t = $2} /"planned"/ {all = $2}
        /"resident_growth"/ {r = $2} END {exit !(p > 0 && p == t && r <= all * 1.03 + 8 * 1048576)}' analysis.json ||
        fail "memory: $(grep -o '"[a-z_]*\(planned\|touched\|growth\)": [0-9]*' analysis.json)"
done

# two plans
exits 0 "$dg" plan "$roll" step --format json --canonical -o a.json
exits 0 "$dg" plan "$roll" step -D batch=64 --format json --canonical -o b.json
exits 0 "$dg" plan --diff a.json a.json --exit-code
grep -q "the plans are the same" out.txt || fail "--diff of the same: $(cat out.txt)"
exits 0 "$dg" plan --diff a.json b.json
grep -q "config batch" out.txt || fail "--diff names no config: $(cat out.txt)"
exits 8 "$dg" plan --diff a.json b.json --exit-code
exits 8 "$dg" plan --diff a.json b.json --exit-code --tolerance peak=1%
exits 0 "$dg" plan --diff a.json b.json --exit-code --tolerance peak=99%
exits 0 "$dg" plan --diff "$roll" "$roll" step --exit-code
exits 2 "$dg" plan --diff a.json b.json --exit-code --tolerance peak=big
exits 2 "$dg" plan --diff a.json b.json --exit-code --tolerance ms=5%
says "plans have no times"
exits 2 "$dg" plan --diff a.json trace.json
exits 0 "$dg" plan "$roll" step --analyze -n 1 --json -o times.json
sed 's/^\( *"ms": *\)[0-9.e+-]*/\11e6/' times.json >slower.json
exits 0 "$dg" plan --diff times.json times.json --exit-code
exits 8 "$dg" plan --diff times.json slower.json --exit-code
grep -q "after ms .*scope" out.txt || fail "--diff of times: $(cat out.txt)"
exits 0 "$dg" plan --diff times.json slower.json --exit-code --tolerance peak=0%
exits 8 "$dg" plan --diff times.json slower.json --exit-code --tolerance peak=0%,ms=5%
exits 0 "$dg" plan --diff times.json times.json --exit-code --tolerance ms=0%,peak=0%
for wrong in ms= ms=5 ms=5%, ms=5%,ms=6% peak=1%ms=5% time=5%; do
    exits 2 "$dg" plan --diff times.json slower.json --tolerance $wrong
done
exits 2 "$dg" plan --diff times.json a.json
exits 5 "$dg" plan --diff a.json missing.json
exits 2 "$dg" plan --diff a.json
says "wants: A.json B.json"

# against a git revision
if command -v git >/dev/null && command -v tar >/dev/null; then
    git() { command git -c user.name=dg -c user.email=dg@localhost -c init.defaultBranch=main "$@"; }
    mkdir -p repo/deep && cp "$roll" repo/deep/model.dg
    exits 2 "$dg" plan --diff HEAD~1 repo/deep/model.dg step
    says "is in no git repository"
    (cd repo && git init -q && git add -A && git commit -q -m one && sed -i 's/batch = [0-9]*/batch = 48/' deep/model.dg &&
        git commit -q -a -m two) || fail "git"
    exits 0 "$dg" plan --diff HEAD repo/deep/model.dg step --exit-code
    exits 8 "$dg" plan --diff HEAD~1 repo/deep/model.dg step --exit-code
    grep -q "config batch" out.txt || fail "--diff HEAD~1: $(cat out.txt)"
    (cd repo/deep && exits 8 "$dg" plan --diff HEAD~1 model.dg step --exit-code) || fail "--diff HEAD~1 in the folder"
    exits 2 "$dg" plan --diff no-such repo/deep/model.dg step
    says "has no such revision"
    cp "$roll" repo/deep/new.dg
    exits 2 "$dg" plan --diff HEAD repo/deep/new.dg step
    says "does not exist at HEAD"
fi

# budgets: kept, with the same bits; or refused with one that is kept
peak() { grep -o '"peak": [0-9]*' "$1" | head -1 | tr -dc "0-9\n"; }
exits 0 "$dg" plan "$model" step -D batch=16 --format json --canonical -o free.json
whole=$(peak free.json)
exits 0 "$dg" plan "$model" step -D batch=16 --memory $((whole * 3 / 4)) --format json --canonical -o less.json
[ "$(peak less.json)" -le $((whole * 3 / 4)) ] || fail "over the budget: $(peak less.json) of $((whole * 3 / 4))"
exits 6 "$dg" plan "$model" step -D batch=16 --memory 100K
says "is the smallest budget that can be kept"
least=$(sed -n 's/.*--memory=\([0-9]*\) is the smallest.*/\1/p' err.txt)
exits 0 "$dg" plan "$model" step -D batch=16 --memory "$least"
# ... of what can be stored in place it is that of the better way
exits 6 "$dg" plan "$dit" step -D batch=1 -D depth=1 --memory 100K
least_dit=$(sed -n 's/.*--memory=\([0-9]*\) is the smallest.*/\1/p' err.txt)
exits 0 "$dg" plan "$dit" step -D batch=1 -D depth=1 --memory "$least_dit"
exits 6 "$dg" plan "$dit" step -D batch=1 -D depth=1 --memory $((least_dit - 64))
exits 0 "$dg" run "$model" step -D batch=16 --data sketch_digits --seed 3 --save free.safetensors
exits 0 "$dg" run "$model" step -D batch=16 --data sketch_digits --seed 3 --memory "$least" --save least.safetensors
same free.safetensors least.safetensors
exits 0 "$dg" run "$model" step -D batch=16 --data sketch_digits --seed 3 --memory "$least" --check=naive
exits 0 "$dg" run "$model" step -D batch=16 --data sketch_digits --seed 3 --memory "$least" --check=poison

# wherever a program is loaded, the same bytes
if command -v setarch >/dev/null && setarch -R true 2>/dev/null; then
    exits 0 setarch -R "$dg" plan "$model" step --format json --canonical -o first.json
else
    exits 0 "$dg" plan "$model" step --format json --canonical -o first.json
fi
for i in 1 2 3 4 5 6 7 8 9 10; do
    exits 0 "$dg" plan "$model" step --format json --canonical -o again.json
    same first.json again.json
done
exits 0 "$dg" plan "$roll" step --format json --canonical -o first.json
for i in $(seq 100); do
    exits 0 "$dg" plan "$roll" step --format json --canonical -o again.json
    same first.json again.json
done
finish
