# What the scripts of this folder share: dg, a folder of their own, and ways to say what went wrong.
set -u
dg=$1
source_folder=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failures=0

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

# expect CODE WHAT COMMAND...: the command's exit code, and what its messages hold (a fixed text).
expect() {
    local code=$1 what=$2 got
    shift 2
    "$@" >out.txt 2>err.txt
    got=$?
    [ "$got" = "$code" ] || { fail "exit $got, not $code: $*"; cat err.txt >&2; }
    grep -qF -- "$what" err.txt || { fail "no \"$what\" from: $*"; cat err.txt >&2; }
    if grep -c 'error\[' err.txt | grep -qv '^[01]$'; then fail "more than one error: $*"; cat err.txt >&2; fi
}

# exits CODE COMMAND...: the command's exit code alone; says TEXT: its messages hold the text.
exits() {
    local code=$1 got
    shift
    "$@" >out.txt 2>err.txt </dev/null
    got=$?
    [ "$got" = "$code" ] || { fail "exit $got, not $code: $*"; cat err.txt >&2; }
}
says() {
    grep -qF -- "$1" err.txt || { fail "no \"$1\""; cat err.txt >&2; }
}

same() {
    cmp -s "$1" "$2" || fail "differ: $1 $2"
}

# Metrics without the clock.
same_metrics() {
    cmp -s <(sed 's/"clock":.*//' "$1") <(sed 's/"clock":.*//' "$2") || fail "metrics differ: $1 $2"
}

same_runs() {
    local f
    for f in config.full.yaml graph.dg plan.json; do same "$1/$f" "$2/$f"; done
    for f in "$1"/checkpoints/latest "$1"/checkpoints/"$(cat "$1/checkpoints/latest")"/* $(find "$1/samples" -type f); do
        same "$f" "$2/${f#"$1"/}"
    done
    same_metrics "$1/metrics.jsonl" "$2/metrics.jsonl"
}

finish() {
    [ "$failures" = 0 ] && echo "passed" || { echo "$failures failures" >&2; exit 1; }
}
