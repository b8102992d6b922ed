#!/bin/bash
# Measures what a check over ssh costs with and without `accelerate`: the processor time of the agent and of the servers,
# apart, and the wall time. Needs root, sshd, sudo and jq. Everything runs in network namespaces of its own.
#
#   benches/accelerate.sh [TURNS [PART...]]     5 turns and all parts where nothing is said
#
# Parts: copies (5 hosts, 20 tasks), few (5 hosts, 3 tasks), fleet (20 hosts, 3 tasks), big (20 hosts, 20 tasks), become,
#        facts, latency (20 ms there and back), ceiling (servers that cost nothing, so that the figure is the agent's alone)
#
# The ways: Ansible as it comes (defaults), Ansible with pipelining (pipelined), this step without (step) and with
# `accelerate` (accelerated). WAYS names some of them, `pipelined` among them, where not all are wanted. All take part in each
# turn, in an order that changes from turn to turn. Ratios are to pipelined Ansible in the same turn.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
if [ -z "${IN_NAMESPACE:-}" ]; then
    cargo build --release --quiet
    exec env IN_NAMESPACE=1 unshare --net "$0" "$@"
fi
turns=${1:-5}
parts=" ${*:2} "
[ "$parts" != '  ' ] || parts=' copies few fleet big become facts latency ceiling '
ip link set lo up

plugin=$repository/target/release/plugin-gitops-status
PATH=$(.ci/ansible-core ${ANSIBLE_CORE:-}):$PATH
work=$(mktemp -d)
chmod 755 "$work" # with become, another user looks at what is in it
forks=${FORKS:-10}
children=''
groups=()
end() {
    kill $children "$(cat "$work/ssh/pid" 2> /dev/null)" 2> /dev/null || true
    sleep 1
    for group in "${groups[@]}"; do rmdir "$group" 2> /dev/null || true; done
    rm -rf "$work"
}
trap end EXIT

# Processor time by control group: who runs in `agent` and in `servers` is counted there, whatever becomes of its parent.
if [ -d /sys/fs/cgroup/cpuacct ]; then
    control=/sys/fs/cgroup/cpuacct/accelerate-$$
    used() { echo $(($(cat "$control-$1/cpuacct.usage") / 1000)); } # microseconds
else
    control=/sys/fs/cgroup/accelerate-$$
    used() { sed -n 's/^usage_usec //p' "$control-$1/cpu.stat"; }
fi
for side in agent servers; do mkdir "$control-$side" && groups+=("$control-$side"); done
inside() { # SIDE COMMAND...
    (echo "$BASHPID" > "$control-$1/cgroup.procs" && shift && exec "$@")
}

echo "$(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg) before the first turn, $(ansible-playbook --version | sed -n 1p)," \
    "forks $forks, $turns turns, $(date -u +%FT%TZ)"

# One sshd is all servers, each under an address of its own: no two share a connection or a Python.
sed 's/^ListenAddress .*/ListenAddress 0.0.0.0/' tests/sshd.sh > "$work/sshd.sh"
CASE_TMP=$work inside servers bash "$work/sshd.sh"
port=$(cat "$work/ssh/port")
inventory() { # HOSTS PREFIX_OF_THE_ADDRESSES
    for number in $(seq "$1"); do echo "web$number ansible_host=$2$number"; done > hosts
    seq -f "[$2%g]:$port $(cut -d' ' -f1,2 "$work/ssh/host.pub")" "$1" > known_hosts
    {
        echo '[all:vars]'
        sed -n '/^ansible_host\|^ansible_ssh_common_args/d; /^ansible_/p' "$work/inventory.ini"
        echo "ansible_ssh_common_args=-o UserKnownHostsFile=$PWD/known_hosts -o GlobalKnownHostsFile=/dev/null"
    } >> hosts
}

copies() { # COUNT
    mkdir -p target
    for number in $(seq "$1"); do
        echo "line $number" > "target/$number"
        echo "    - {name: manage $number, copy: {content: \"line $number\n\", dest: $PWD/target/$number}}"
    done
}
play() { printf -- '- hosts: all\n  gather_facts: %s\n  become: %s\n  tasks:\n' "${1:-false}" "${2:-false}"; }

export ANSIBLE_NOCOWS=1 ANSIBLE_HOME=$work/home
export PLUGIN_DRY_RUN=true PLUGIN_REPO_NAME=r PLUGIN_SERVER_NAME=s PLUGIN_PLAYBOOK=site.yml PLUGIN_INVENTORY=hosts
bare() { # a run finds no connection of an earlier one
    local masters status=0
    masters=$(mktemp -d "$work/m.XXXX")
    ANSIBLE_SSH_CONTROL_PATH_DIR=$masters ansible-playbook -i hosts --check --diff site.yml || status=$?
    for master in "$masters"/*; do ssh -o ControlPath="$master" -O exit x 2> /dev/null || true; done
    return "$status"
}
defaults() { bare; }
pipelined() { ANSIBLE_PIPELINING=1 ANSIBLE_FORKS=$forks bare; }
step() { PLUGIN_FORKS=$forks "$plugin"; }
accelerated() { PLUGIN_ACCELERATE=true step; }
export -f bare defaults pipelined step accelerated
export plugin work forks
read -ra ways <<< "${WAYS:-defaults pipelined step accelerated}"

# Runs one way and appends what it took to `measured`.
measure() { # WAY
    local agent servers began ended
    sleep 1 # what the way before left on the servers ends
    agent=$(used agent) servers=$(used servers) began=$(date +%s%N)
    inside agent ${line:-} bash -c "$1" > "out.$1" 2>&1 || { cat "out.$1"; exit 1; }
    ended=$(date +%s%N)
    sleep 1
    jq -nc --arg way "$1" '{way: $way, agent: $ARGS.positional[0], servers: $ARGS.positional[1], wall: $ARGS.positional[2]}' \
        --jsonargs "$(($(used agent) - agent))" "$(($(used servers) - servers))" "$(((ended - began) / 1000))" >> measured
}

# Every way once in each turn, then medians in seconds, and in brackets the least and the greatest.
compare() { # TITLE
    rm -f measured
    for turn in $(seq "$turns"); do
        for place in "${!ways[@]}"; do
            # Back and forth: who was first is last in the next turn.
            [ $((turn % 2)) = 1 ] && number=$place || number=$((${#ways[@]} - 1 - place))
            measure "${ways[$number]}"
        done
    done
    echo "$1 (load $(cut -d' ' -f1 /proc/loadavg))"
    jq -s -r '
        def median: sort | .[length / 2 | floor];
        def seconds: . / 10000 | round / 100 | tostring;
        def ratio: . * 100 | round / 100 | tostring;
        map(. + {total: (.agent + .servers)}) as $all
        | ($all | map(select(.way == "pipelined"))) as $reference
        | $all | group_by(.way)[] | . as $runs
        | ["agent", "servers", "total", "wall"] | map(. as $kind
            | ($runs | map(.[$kind])) as $figures
            | [range($figures | length) | $reference[.][$kind] / $figures[.]] as $ratios
            | "\($kind) \($figures | median | seconds) s [\($figures | min | seconds) \($figures | max | seconds)], \($ratios | median | ratio) times less")
        | "    \($runs[0].way): \(join("; "))"' measured
}

part() { case $parts in *" $1 "*) mkdir -p "$work/$1" && cd "$work/$1" ;; *) return 1 ;; esac }

if part copies; then
    inventory 5 127.0.1.
    { play; copies 20; } > site.yml
    compare '5 hosts, 20 copies'
fi
if part few; then
    inventory 5 127.0.1.
    { play; copies 3; } > site.yml
    compare '5 hosts, 3 copies'
fi
if part fleet; then
    inventory 20 127.0.1.
    { play; copies 3; } > site.yml
    compare '20 hosts, 3 copies'
fi
if part big; then
    inventory 20 127.0.1.
    { play; copies 20; } > site.yml
    compare '20 hosts, 20 copies'
fi
if part become; then
    inventory 5 127.0.1.
    # The user who logs in is root here, and becomes another: the command line and the costs are those of any become.
    { play false 'true'; copies 20; } | sed 's/become: true/become: true\n  become_user: nobody/' > site.yml
    compare '5 hosts, 20 copies with become'
fi
if part facts; then
    inventory 5 127.0.1.
    { play true; copies 3; } > site.yml
    compare '5 hosts, facts and 3 copies'
fi
if part latency; then
    unshare --net sleep infinity &
    children="$children $!"
    agent=$!
    until [ "$(readlink /proc/$agent/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
    python3 "$repository/benches/delay.py" $$ $agent 10 > ready &
    children="$children $!"
    until [ -s ready ]; do sleep 0.1; done
    for number in $(seq 5); do ip address add "10.77.0.$number/32" dev line; done
    ip link set line up
    ip route add 10.77.1.1 dev line
    nsenter --net=/proc/$agent/ns/net sh -c 'ip link set lo up; ip address add 10.77.1.1/32 dev line; ip link set line up; ip route add 10.77.0.0/24 dev line'
    inventory 5 10.77.0.
    { play; copies 20; } > site.yml
    ! command -v ping > /dev/null || echo "    a packet there and back: $(nsenter --net=/proc/$agent/ns/net ping -c 5 -q 10.77.0.1 | tail -1)"
    line="nsenter --net=/proc/$agent/ns/net"
    compare '5 hosts, 20 copies, 20 ms away'
    line=
fi
if part ceiling; then
    # What one module answered once, each of many servers that do not exist answers for ever.
    export RECORDED=$PWD/recorded GROUP=$control-servers
    mkdir recorded
    files() { for number in $(seq "$1"); do echo "    - {name: manage $number, file: {path: /tmp, state: directory}}"; done; }
    inventory 1 127.0.1.
    { play; files 1; } > site.yml
    export ANSIBLE_SSH_EXECUTABLE=$repository/benches/recorded_ssh.py
    RECORD=1 pipelined > out.record 2>&1 || { cat out.record; exit 1; }
    hosts=${HOSTS:-50} tasks=${TASKS:-10}
    inventory "$hosts" 127.0.1.
    { play; files "$tasks"; } > site.yml
    ways=(pipelined step accelerated)
    compare "$hosts hosts that cost nothing, $tasks tasks"
    jq -s -r --argjson modules $((hosts * tasks)) --argjson cores "$(nproc)" '
        def median: sort | .[length / 2 | floor];
        group_by(.way)[] | (map(.agent) | median) as $agent | (map(.wall) | median) as $wall
        | "    \(.[0].way): \($agent / $modules / 10 | round / 100) ms of the agent for a host and a task, " +
          "\($modules * 60000000 / $wall | round) hosts x tasks a minute on \($cores) cores"' measured
    unset ANSIBLE_SSH_EXECUTABLE
fi
