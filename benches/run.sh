#!/bin/bash
# Measures everything side by side and prints medians and ratios. Needs hyperfine, jq, ssh and sshd, and an hour.
#
#   benches/run.sh [RUNS [PART...]]     10 runs of each way and all parts where nothing is said
#
# Parts: local (1, 20 and 200 tasks), ssh (20 hosts), mitogen (20 hosts), rust (cargo bench). Ways take turns, so that a machine that gets slower does so for both.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
runs=${1:-10}
parts=" ${*:2} "
[ "$parts" != "  " ] || parts=' local ssh mitogen rust '
cargo build --release --quiet
plugin=$PWD/target/release/plugin-gitops-status
ansible=$(.ci/ansible-core)
PATH=$ansible:$PATH
work=$(mktemp -d)
trap 'kill "$(cat "$work/ssh/pid" 2> /dev/null)" 2> /dev/null; pkill -f "^ssh: $work/masters"; rm -rf "$work"' EXIT
echo "$(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg), $(ansible-playbook --version | sed -n 1p), $runs runs of each"

export PLUGIN_DRY_RUN=true PLUGIN_REPO_NAME=r PLUGIN_SERVER_NAME=s PLUGIN_PLAYBOOK=site.yml PLUGIN_INVENTORY=hosts
check='ansible-playbook -i hosts --check --diff site.yml'

# Medians of the wall time, and of the processor time that a way and its children took. Ratios are to the first way in the
# same turn: their median, and in brackets the least and the greatest of the wall time's.
compare() { # TITLE (NAME WAY)...
    title=$1 names='' ways=()
    shift
    while [ $# -gt 0 ]; do names="$names$1;" ways+=("$2"); shift 2; done
    for _ in $(seq "$runs"); do
        hyperfine --shell=none --runs 1 --export-json "$work/turn" "${ways[@]}" > /dev/null 2>&1 ||
            { echo "one of these fails: ${ways[*]}" >&2; exit 1; }
        jq -c '.results | map({wall: .median, cpu: (.user + .system)})' "$work/turn"
    done > "$work/turns"
    echo "$title"
    jq -s -r --arg names "$names" '
        def median: sort | .[length / 2 | floor];
        def figure: . * 1000 | round / 1000 | tostring;
        map(map(.wall)) as $wall | map(map(.cpu)) as $cpu
        | def of($figures; $way): $figures | map(.[$way]) | median;
        def ratios($figures; $way): $figures | map(.[$way] / .[0]);
        ($names / ";")[:-1] | to_entries[]
        | ratios($wall; .key) as $ratios
        | "    \(.value): \(of($wall; .key) | figure) s (ratio \($ratios | median | figure) [\($ratios | min | figure) \($ratios | max | figure)]), processor \(of($cpu; .key) | figure) s (ratio \(ratios($cpu; .key) | median | figure))"' "$work/turns"
}

tasks() { # COUNT
    printf -- '- hosts: all\n  gather_facts: false\n  tasks:\n'
    for number in $(seq "$1"); do printf '    - {name: "manage %s", file: {path: /tmp, state: directory}}\n' "$number"; done
}

mkdir "$work/local" && cd "$work/local"
echo 'web1 ansible_connection=local ansible_python_interpreter=/usr/bin/python3' > hosts
case $parts in *' local '*)
    mkdir "$work/callback" && cp "$repository/src/ansible/callback.py" "$work/callback/" && : > "$work/callback/events"
    for count in 1 20 200; do
        tasks "$count" > site.yml
        compare "$count tasks, localhost" bare "$check" \
            'with the callback' "env ANSIBLE_CALLBACK_PLUGINS=$work/callback $check" plugin "$plugin"
    done
    [ -s "$work/callback/events" ]
esac

fleet() {
    [ ! -e "$work/fleet" ] || { cd "$work/fleet" && return; }
    (cd "$repository" && CASE_TMP=$work tests/sshd.sh)
    mkdir "$work/fleet" && cd "$work/fleet"
    args=$(sed -n 's/^ansible_ssh_common_args=//p' ../inventory.ini | sed 's/ -o ControlPath=none//')
    {
        seq -f 'web%02g' 20
        printf '[all:vars]\nansible_ssh_common_args=%s\n' "$args"
        sed -n '/^ansible_ssh_common_args/d; /^ansible_/p' ../inventory.ini
    } > hosts
    tasks 3 > site.yml
    # A step of its own finds no master of an earlier one.
    printf '#!/bin/sh\nANSIBLE_SSH_CONTROL_PATH_DIR=$(mktemp -d %s/masters.XXXXXX) exec %s\n' "$work" "$check" > bare
    chmod +x bare
    bare=$PWD/bare
}
export ANSIBLE_HOST_KEY_CHECKING=false
case $parts in *' ssh '*)
    fleet
    without() { echo "env PLUGIN_ANSIBLE_ENV={\\\"$1\\\":\\\"$2\\\"} $plugin"; }
    compare "3 tasks, 20 hosts over ssh" "Ansible's defaults" "$bare" plugin "$plugin" \
        'plugin without pipelining' "$(without ANSIBLE_PIPELINING false)" 'plugin with 5 forks' "$(without ANSIBLE_FORKS 5)"
esac
case $parts in *' mitogen '*)
    fleet
    mitogen=$("$ansible/python3" -c 'import ansible_mitogen, os; print(os.path.dirname(ansible_mitogen.__file__))' 2> /dev/null) || {
        "$ansible/python3" -m pip install --quiet --target "$work/mitogen" mitogen
        mitogen=$work/mitogen/ansible_mitogen
    }
    export PYTHONPATH=${mitogen%/*}
    quick="{\\\"ANSIBLE_STRATEGY_PLUGINS\\\":\\\"$mitogen/plugins/strategy\\\",\\\"ANSIBLE_STRATEGY\\\":\\\"mitogen_linear\\\"}"
    compare "3 tasks, 20 hosts over ssh" "Ansible's defaults" "$bare" 'plugin with Mitogen' "env PLUGIN_ANSIBLE_ENV=$quick $plugin"
    unset PYTHONPATH
esac
case $parts in *' rust '*)
    cd "$repository" && cargo bench --quiet 2> /dev/null
esac
