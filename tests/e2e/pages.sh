#!/bin/bash
# Pages of docs/ that run, each in a folder of its own. A block that begins with ```dg is a file that must compile and whose tests
# are run; one with ```dg NAME.dg is first written under that name, so that blocks can import each other; the commands of a block
# ```sh run are executed in their order.
#     pages.sh path/to/dg [PAGE...]
. "$(dirname "$0")/lib.sh"
shift
root=$(cd "$source_folder/../.." && pwd)
[ $# -gt 0 ] || set -- "$root"/README.md "$root"/docs/*.md "$root"/docs/diffusion/*.md

dg() { "$dg" "$@"; }
export -f dg
export dg

for page in "$@"; do
    cd "$(mktemp -d "$work/$(basename "$page" .md).XXXXXX")" # two pages may have one name
    awk '
        /^```/ && inside { if (out) close(out); inside = 0; out = ""; next }
        /^```/ {
            inside = 1
            if ($0 == "```dg") out = sprintf("block%d.dg", ++n)
            else if ($1 == "```dg") out = $2
            else if ($0 == "```sh run") out = "commands.sh"
            next
        }
        out { print >> out }' "$page"
    for file in *.dg; do
        [ -f "$file" ] || continue
        dg check "$file" >out.txt 2>err.txt || { fail "$page, $file"; cat err.txt >&2; }
        grep -q '^test "' "$file" || continue
        dg test "$file" >out.txt 2>err.txt || { fail "$page, $file"; cat out.txt err.txt >&2; }
    done
    if [ -f commands.sh ]; then
        bash -eu commands.sh >out.txt 2>err.txt || { fail "the commands of $page"; cat out.txt err.txt >&2; }
    fi
done
finish
