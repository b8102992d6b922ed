#!/bin/bash
# Measures everything side by side in one run and prints medians and ratios. Needs hyperfine, jq, ssh and sshd.
#
#   benches/run.sh [RUNS]     10 runs of each way where nothing is said
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-10}
cargo build --release --quiet
plugin=$PWD/target/release/plugin-gitops-status
PATH=$(tests/ansible-core.sh):$PATH
work=$(mktemp -d)
trap 'kill "$(cat "$work/ssh/pid" 2> /dev/null)" 2> /dev/null || :; rm -rf "$work"' EXIT
echo "$(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $(ansible-playbook --version | sed -n 1p)"

export PLUGIN_DRY_RUN=true PLUGIN_REPO_NAME=r PLUGIN_SERVER_NAME=s PLUGIN_PLAYBOOK=site.yml PLUGIN_INVENTORY=hosts
medians() { jq -r '[.results[].median] | @tsv' "$1"; }
# The same playbook, the same settings: what the plugin adds.
compare() { # NAME BARE PLUGIN
    hyperfine --shell=none --warmup 1 --runs "$runs" --export-json "$work/result" "$2" "$3" > /dev/null
    read -r bare ours <<< "$(medians "$work/result")"
    printf '%-46s bare %7.3f s   plugin %7.3f s   plugin / bare %.3f\n' "$1" "$bare" "$ours" "$(python3 -c "print($ours / $bare)")"
}

tasks() { # COUNT
    printf -- '- hosts: all\n  gather_facts: false\n  tasks:\n'
    for number in $(seq "$1"); do printf '    - {name: "manage %s", file: {path: /tmp, state: directory}}\n' "$number"; done
}
mkdir "$work/local" && cd "$work/local"
echo 'web1 ansible_connection=local ansible_python_interpreter=/usr/bin/python3' > hosts
for count in 1 20 200; do
    tasks "$count" > site.yml
    ANSIBLE_PIPELINING=true compare "$count tasks, localhost" 'ansible-playbook -i hosts --check --diff site.yml' "$plugin"
done

cd - > /dev/null && CASE_TMP=$work tests/sshd.sh && cd "$work"
args=$(sed -n 's/^ansible_ssh_common_args=//p' inventory.ini | sed 's/ -o ControlPath=none//')
{
    seq -f 'web%02g' 20
    printf '[all:vars]\nansible_ssh_common_args=%s\n' "$args"
    sed -n '/^ansible_ssh_common_args/d; /^ansible_/p' inventory.ini
} > hosts
tasks 5 > site.yml
export ANSIBLE_HOST_KEY_CHECKING=false
compare '5 tasks, 20 hosts over ssh, Ansible'"'"'s defaults' \
    "env ANSIBLE_SSH_CONTROL_PATH_DIR=$work/cp ansible-playbook -i hosts --check --diff site.yml" "$plugin"
cd - > /dev/null
cargo bench --quiet 2> /dev/null
