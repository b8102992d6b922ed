#!/bin/sh
# Runs every case on each ansible-core that a Python here can run, and from 2.19 on the comparison of the table of modules with
# the documentation of modules: its own, and those of the collections that the image's target `full` has. Ends with a table.
#
#   tests/compat.sh [VERSION...]            all of them, or those alone
#   tests/compat.sh --share VERSION...      each runs its share of the cases, and all cases that differ by version
set -u
cd "$(dirname "$0")/.."
share=
[ "${1:-}" != --share ] || { share=yes && shift; }
[ $# -gt 0 ] || set -- 2.14 2.16 2.18 2.19 2.20 2.21 2.22
table='' failed=0 part=0
for version; do
    part=$((part + 1))
    [ -z "$share" ] || export CASES_PART="$part/$#"
    if ! .ci/ansible-core "$version" > /dev/null; then
        table="$table
$version   not run: no Python here can run it"
        continue
    fi
    said=$(ANSIBLE_CORE=$version tests/run.sh --test it cases:: 2>&1) || { failed=1; echo "$said"; }
    case $version in 2.19 | 2.2*) tests/atlas/collections.sh "$version" > /dev/null || echo "no collections for $version" >&2 ;; esac
    modules=$(ANSIBLE_CORE=$version tests/run.sh --test it modules:: 2>&1) || { failed=1; echo "$modules"; }
    figures=$(echo "$said" | sed -n 's/^test result: [a-zA-Z]*\. \([0-9]* passed; [0-9]* failed; [0-9]* ignored\).*/\1/p')
    table="$table
$version   ${figures:-did not finish}"
done
echo "core   result$table"
exit $failed
