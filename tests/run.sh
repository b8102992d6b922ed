#!/bin/sh
# Runs every test, after preparing what they need: an ansible-core under target/, ssh and sshd from the system's packages.
# Arguments go to `cargo test`.
set -eu
cd "$(dirname "$0")/.."
if ! { command -v ssh && { command -v sshd || [ -x /usr/sbin/sshd ]; }; } > /dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends openssh-client openssh-server > /dev/null
    else
        echo 'the tests need ssh and sshd (Debian: apt-get install openssh-client openssh-server)' >&2
        exit 1
    fi
fi
tests/ansible-core.sh ${ANSIBLE_CORE:-} > /dev/null
exec cargo test --locked "$@"
