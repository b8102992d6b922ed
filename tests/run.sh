#!/bin/sh
# Runs every test, after preparing what they need: an ansible-core under target/, ssh and sshd from the system's packages.
# What cannot be prepared is left out, and the tests say so at their end. Arguments go to `cargo test`.
#
#   tests/run.sh                                      everything
#   ANSIBLE_CORE=2.14 tests/run.sh --test it cases::  the cases, on another ansible-core
set -eu
cd "$(dirname "$0")/.."
if ! { command -v ssh && { command -v sshd || [ -x /usr/sbin/sshd ]; }; } > /dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends openssh-client openssh-server > /dev/null
    else
        echo 'ssh and sshd are not installed, and what needs them is not tested (Debian: apt-get install openssh-client openssh-server)' >&2
    fi
fi
if found=$(.ci/ansible-core ${ANSIBLE_CORE:-}); then
    export ANSIBLE_CORE="$found"
elif [ -n "${ANSIBLE_CORE:-}" ]; then
    exit 1
fi
exec cargo test --locked "$@"
