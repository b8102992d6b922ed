#!/bin/sh
# The main job from end to end on this machine, with nothing installed outside target/: deploys the rsyslog example to a
# scratch directory, checks it, edits a file by hand, checks again, and shows what the status server then tells Grafana.
set -eu
cd "$(dirname "$0")/.."

if [ -t 1 ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); else bold='' plain=''; fi
say() { printf '\n%s── %s%s\n' "$bold" "$*" "$plain"; }

# Before the build, so that a Python that is missing is not found out after minutes.
command -v ansible-playbook > /dev/null || PATH=$(.ci/ansible-core):$PATH
export PATH

say 'Build the plugin and the status server'
# Without --release, which takes twice as long and shows nothing more; `cargo test` uses what is built here.
cargo build --locked --package plugin-gitops-status --package gitops-status-server

scratch=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server"; fi; rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
mkdir "$scratch/etc"
mkfifo "$scratch/said"

say 'Start the status server'
target/debug/gitops-status-server --listen 127.0.0.1:0 --file "$scratch/status.db" > "$scratch/said" &
server=$!
read -r said < "$scratch/said"
url=${said#listening on }
echo "$url"

# What a pipeline says under `settings:`, and two variables that make a scratch directory the server's /etc.
export CI_REPO_NAME=rsyslog
export PLUGIN_GITOPS_STATUS_SERVER_URL="$url"
export PLUGIN_SERVER_NAME=rsyslog-lab
export PLUGIN_PLAYBOOK=ansible/playbooks/drift-check.yml
export PLUGIN_INVENTORY=ansible/inventory.ini
here="{\"etc\":\"$scratch/etc\",\"ansible_connection\":\"local\",\"ansible_become\":false}"
export PLUGIN_EXTRA_VARS="$here"
plugin=$PWD/target/debug/plugin-gitops-status
cd examples/rsyslog

say "Deploy examples/rsyslog to $scratch/etc"
ansible-playbook -i ansible/inventory.ini -e "$here" ansible/playbooks/deploy.yml

say 'Check it: everything is as the repository says'
"$plugin"

say 'Somebody edits a file by hand'
echo '*.* /var/log/everything' >> "$scratch/etc/rsyslog.conf"
echo "echo '*.* /var/log/everything' >> $scratch/etc/rsyslog.conf"

say 'Check again'
"$plugin"

say "What Grafana reads from $url/status.json"
python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' "$url/status.json"
