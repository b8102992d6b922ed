#!/bin/sh
# Prints the directory that holds ansible-playbook in the wanted version, and installs it under target/ where it is
# missing. Exits 3 where no Python here can run that version.
#
#   tests/ansible-core.sh [2.14 | 2.16 | 2.18 | 2.19 | 2.20 | 2.21]
#
# Without a version: the newest of them that a Python here can run, 2.19 before all others (it is the image's).
set -eu
cd "$(dirname "$0")/.."

release() { # the pinned release and the Pythons it runs on
    case $1 in
    2.14) echo 2.14.18 3.11 3.10 3.9 ;;
    2.16) echo 2.16.19 3.12 3.11 3.10 ;;
    2.18) echo 2.18.19 3.13 3.12 3.11 ;;
    2.19) echo 2.19.14 3.13 3.12 3.11 ;;
    2.20) echo 2.20.10 3.14 3.13 3.12 ;;
    2.21) echo 2.21.5 3.14 3.13 3.12 ;;
    *) echo "no ansible-core $1 is known here" >&2; exit 2 ;;
    esac
}

python() { # a Python of the wanted version that works
    for candidate in "python$1" python3 "$HOME"/.pyenv/versions/"$1".*/bin/python3; do
        found=$("$candidate" -c 'import ensurepip, sys, venv; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
        [ "$found" != "$1" ] || { echo "$candidate"; return 0; }
    done
    return 1
}

install() { # version
    set -- "$1" $(release "$1")
    version=$1 pinned=$2
    shift 2
    dir=$PWD/target/ansible-core/$pinned
    if [ ! -e "$dir/complete" ]; then
        for wanted in "$@"; do python=$(python "$wanted") && break || python=; done
        [ -n "$python" ] || return 3
        echo "installing ansible-core $pinned under target/" >&2
        mkdir -p target/ansible-core
        # One at a time: tests run side by side.
        (
            flock 9
            if [ ! -e "$dir/complete" ]; then
                rm -rf "$dir"
                "$python" -m venv "$dir" >&2
                "$dir/bin/pip" install --quiet --disable-pip-version-check "ansible-core==$pinned" >&2
                touch "$dir/complete"
            fi
        ) 9> "target/ansible-core/$pinned.lock"
    fi
    echo "$dir/bin"
}

if [ $# -gt 0 ]; then
    install "$1"
    exit
fi
for version in 2.19 2.21 2.20 2.18 2.16 2.14; do
    if install "$version"; then exit 0; fi
done
echo "ansible-core needs a python3 of at least 3.9 with venv (Debian: apt-get install python3-venv)" >&2
exit 3
