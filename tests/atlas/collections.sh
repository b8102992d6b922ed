#!/bin/bash
# Brings the collections that the experiments are about under target/, and prints the directory to give to Ansible.
#
#   tests/atlas/collections.sh VERSION [BIN]
#
# VERSION is that of an ansible-core, such as 2.21, whose collections are those of the `ansible` package that fits it. BIN is
# the directory of its programs [the one under target/].
set -euo pipefail
cd "$(dirname "$0")/../.."
core=$1
bin=${2:-$(.ci/ansible-core "$core")}
kept=$PWD/target/atlas/collections
case $core in
2.14) ansible=7 ;; 2.16) ansible=9 ;; 2.18) ansible=11 ;; 2.19) ansible=12 ;; 2.20) ansible=13 ;; 2.21) ansible=14 ;;
*) echo "no package of collections is known for ansible-core $core" >&2 && exit 1 ;;
esac
mkdir -p "$kept"
exec 9> "$kept/lock"
flock 9
if [ ! -d "$kept/$core" ]; then
    echo "bringing the collections of ansible $ansible under target/" >&2
    work=$(mktemp -d "$kept/new.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    "$bin/pip" download --quiet --no-deps --dest "$work" "ansible==$ansible.*"
    "$bin/python3" -c '
import sys, zipfile
wanted = tuple(f"ansible_collections/{name}/" for name in sys.argv[3:])
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.startswith(wanted)])
' "$work"/ansible-*.whl "$work/tree" ansible/{mariadb,mysql,posix} \
        community/{crypto,docker,general,library_inventory_filtering_v1,mysql,postgresql}
    mv "$work/tree" "$kept/$core"
fi
echo "$kept/$core"
