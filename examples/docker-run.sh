#!/bin/sh
# The step without Woodpecker, on a laptop: checks the repository in the current directory.
#
#   cd REPOSITORY && .../docker-run.sh SETTING=VALUE...
#   .../docker-run.sh playbook=site.yml inventory=hosts server_name=web01 dry_run=true \
#       ssh_private_key=@~/.ssh/deploy ssh_known_hosts=@~/known_hosts
#
# Settings are those of plugin.md; `@FILE` stands for the text of a file. Values travel in the environment, never on a
# command line. `repo_name` is the directory's name where it is not given. With ENGINE=podman it is podman that runs, and
# IMAGE names another image; OPTIONS are more options for it, such as `--network host`.
set -eu
[ $# -gt 0 ] || { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' "$0" >&2; exit 1; }
engine=${ENGINE:-docker} image=${IMAGE:-plugin-gitops-status}
PLUGIN_REPO_NAME=$(basename "$PWD")
export PLUGIN_REPO_NAME
names='-e PLUGIN_REPO_NAME'
for setting; do
    name=PLUGIN_$(printf %s "${setting%%=*}" | tr 'a-z.-' 'A-Z__')
    value=${setting#*=}
    case $setting in
        *=*) ;;
        *) echo "$setting is no SETTING=VALUE" >&2; exit 1 ;;
    esac
    case $name in
        *[!A-Z0-9_]*) echo "${setting%%=*} is no name of a setting" >&2; exit 1 ;;
    esac
    case $value in
        @~/*) value=$(cat "$HOME/${value#@~/}") ;;
        @*) value=$(cat "${value#@}") ;;
    esac
    case "$name=$value ${OPTIONS:-}" in
        *'--network host'* | *--network=host*) ;;
        PLUGIN_GITOPS_STATUS_SERVER_URL=*://localhost* | PLUGIN_GITOPS_STATUS_SERVER_URL=*://127.*)
            echo "hint: in the container $value is the container itself; to reach this machine, set OPTIONS='--network host'" >&2 ;;
    esac
    export "$name=$value"
    names="$names -e $name"
done
# Read-only, also for the repository; what the run writes lies in /tmp and /dev/shm and goes with the container.
# shellcheck disable=SC2086
exec $engine run --rm ${OPTIONS:-} --read-only --tmpfs /tmp --cap-drop ALL --volume "$PWD:/repository:ro" --workdir /repository \
    $names "$image"
