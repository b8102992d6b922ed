#!/bin/sh
# The secrets and the cron job that a repository needs, and once the status server's token:
#
#   IMAGE=REGISTRY/plugin-gitops-status secrets.sh OWNER/REPOSITORY KEY_FILE HOST...
#
# IMAGE is the image's name as the pipeline has it, with the registry and without the tag: Woodpecker compares all of it
# with the name that the token is limited to. KEY_FILE is a private key that may log in to the hosts. Needs kubectl, ssh-keyscan, openssl, and a woodpecker-cli that
# is logged in. The secrets are for the events push and cron alone: a pull request could print them with a playbook of its
# own. The token is for this plugin alone; the key is not, because a step that deploys has commands of its own.
set -eu
[ $# -ge 3 ] && [ -n "${IMAGE:-}" ] || { sed -n '1d;/^#/!q;s/^# \{0,1\}//p' "$0" >&2; exit 1; }
repository=$1 key=$2
shift 2

# NAME VALUE OPTION...
secret() {
    name=$1 value=$2
    shift 2
    woodpecker-cli repo secret add --name "$name" --value "$value" --event push --event cron "$@" "$repository"
}

# Compare these with what the hosts' consoles show (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) before you go on.
known_hosts=$(ssh-keyscan -t ed25519 "$@")
printf '%s\n' "$known_hosts" | ssh-keygen -lf -
printf 'Are these the hosts? [y/N] '
read -r answer
[ "$answer" = y ] || exit 1

directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
umask 077
# One token for all repositories; the first one makes it.
kubectl="kubectl --namespace observability-stack"
if ! $kubectl get secret gitops-status-server > /dev/null 2>&1; then
    openssl rand -hex 32 | tr -d '\n' > "$directory/token"
    $kubectl create secret generic gitops-status-server --from-file="$directory/token"
fi
$kubectl get secret gitops-status-server --output 'jsonpath={.data.token}' | base64 -d > "$directory/token"

secret deploy_key "@$key"
secret known_hosts "$known_hosts"
secret status_server_token "@$directory/token" --image "$IMAGE"
woodpecker-cli repo cron add --name gitops_sync_check --schedule '*/2 * * * *' --enabled "$repository"
