#!/bin/bash
# Repeats the experiments of the check-mode atlas, and writes docs/check-mode.md from what was observed.
#
#   tests/atlas/run.sh [OPTION...] [MODULE...]
#
# MODULE names files of modules/ [all]. Options:
#   --core VERSION    the ansible-core, such as 2.21, or the directory of its ansible-playbook [2.19]
#   --part N/M        every M-th file, beginning with the N-th
#   --brief           leave out what tells of real runs only: about half the time
#   --together N      N files share a box and each run of ansible-playbook: quicker still, and harder to read when it fails
#   --scratch         only what can run in a directory of this machine, without a box, root or the network; records nothing
#   --plugin BINARY   also run this plugin on each playbook: SYNCED of a changed target, or drift of a clean one, fails
#
# What it needs is kept under target/: an ansible-core, the collections of the `ansible` package that fits it, and (but for
# --scratch) the file tree of a Debian system. The first run downloads them; boxes need root.
set -euo pipefail
cd "$(dirname "$0")/../.."
core=2.19 scratch='' options=()
while [ $# -gt 0 ]; do
    case $1 in
    --core) core=$2 && shift 2 ;;
    --part | --plugin | --together) options+=("$1" "$2") && shift 2 ;;
    --brief) options+=("$1") && shift ;;
    --scratch) scratch=yes && shift ;;
    -*) sed -n '2,/^set/{/^#/p}' "$0" >&2 && exit 2 ;;
    *) break ;;
    esac
done
kept=$PWD/target/atlas
mkdir -p "$kept"
case $core in
*/*) bin=$core core=$("$core/python3" -c 'import ansible.release as a; print(a.__version__.rsplit(".", 1)[0])') ;;
*) bin=$(.ci/ansible-core "$core") ;;
esac
options+=(--version "$core")
work=$(mktemp -d "$kept/run.XXXXXX")
trap 'tests/atlas/box.sh down "$work/target"; rm -rf "$work"' EXIT

if [ -n "$scratch" ]; then
    options+=(--brief --together 100)
else
    (
        flock 9
        [ -d "$kept/base" ] || { echo 'making the file tree of a Debian system under target/' >&2 && tests/atlas/box.sh base "$kept/base"; }
    ) 9> "$kept/lock"
    options+=(--base "$kept/base" --collections "$(tests/atlas/collections.sh "$core" "$bin")" --results "tests/atlas/results/$core")
fi
status=0
nice -n 5 "$bin/python3" tests/atlas/atlas.py --work "$work" "${options[@]}" "$@" || status=$?
[ -n "$scratch" ] || "$bin/python3" tests/atlas/document.py
exit "$status"
