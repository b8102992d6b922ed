#!/bin/sh
# Runs fuzz targets one after the other, each for some minutes of one core; ends with 1 at the first finding.
#
#   fuzz/run.sh [MINUTES [TARGET...]]      30 minutes and all targets where nothing is said
#
# Needs nightly Rust and cargo-fuzz (`cargo install cargo-fuzz`). What is found lies in fuzz/artifacts, what was learnt
# in fuzz/corpus; both stay out of the repository. Seeds are in fuzz/seeds, and for `events` the recorded scenes.
set -eu
cd "$(dirname "$0")/.."
minutes=${1:-30}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- $(cargo +nightly fuzz list)
for target in "$@"; do
    seeds=fuzz/seeds/$target
    [ "$target" != events ] || seeds=tests/scenes
    mkdir -p "fuzz/corpus/$target"
    # The thread of a request may still be ending when its answer is there; that is no leak.
    unset ASAN_OPTIONS
    [ "$target" != answer ] || export ASAN_OPTIONS=detect_leaks=0
    echo "== $target, $minutes minutes"
    cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "$seeds" -- \
        -max_total_time=$((minutes * 60)) -max_len=16384 -rss_limit_mb=1024 -print_final_stats=1 -print_funcs=0 -verbosity=0
done
