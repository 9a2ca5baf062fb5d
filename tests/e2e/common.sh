# common.sh: sourced by the scripts beside it. Counts what does not hold; `finish` makes it the exit code.
set -u
failures=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# exits CODE COMMAND...: runs it, keeps standard output and error in out and err.
exits() {
    local want=$1
    shift
    "$@" >out 2>err </dev/null
    local have=$?
    [ "$have" = "$want" ] || { fail "exit $have instead of $want: $*"; head -5 err; }
}

# says TEXT: the last command's messages hold it.
says() {
    grep -qF -- "$1" err || { fail "no message with '$1'"; head -5 err; }
}

same() {
    cmp -s "$1" "$2" || fail "$1 and $2 differ"
}

finish() {
    [ "$failures" = 0 ] && echo "all well" || echo "$failures failed"
    exit $((failures > 0))
}
