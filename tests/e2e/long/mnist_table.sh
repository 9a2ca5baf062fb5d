# mnist_table.sh: the table of samplers on MNIST and what it has to show. Half an hour on two cores.
#     ctest --test-dir build/release -C long -L long -R mnist_table --verbose
# DG_MNIST is the folder with the four IDX files; DG_MNIST_OUT, if set, keeps what was made.
. "$(dirname "$0")/../lib.sh"
[ -d "${DG_MNIST:-}" ] || { echo "skipped: DG_MNIST is no folder"; exit 77; }
out=${DG_MNIST_OUT:-$work/table}
DG=$dg bash "$source_folder/../../../examples/mnist_table/table.sh" "$DG_MNIST" "$out" || fail "the table is not made"

# column ROW NUMBER: of the first row of the table that begins so
column() { grep -m 1 -F "| $1 |" "$out/table.md" | cut -d '|' -f "$2" | tr -d ' ' | sed 's/±.*//'; }
holds() { awk "BEGIN {exit !($1)}" || fail "not $1"; }

holds "$(sed -n 's/^The classifier is right on \([0-9.]*\).*/\1/p' "$out/table.md") >= 0.99"
for row in "DDIM | 50" "DDIM | 100" "DPM-Solver++ | 20" "Analytic-DPM | 50"; do holds "$(column "$row" 5) >= 95"; done
holds "$(column "DPM-Solver++ | 20" 6) <= 1.05 * $(column "DDIM | 100" 6)"
for k in 10 25 50; do
    holds "$(column "$k steps" 5) < $(column "$k steps" 3) && $(column "$k steps" 5) < $(column "$k steps" 4)"
done
finish
