#!/bin/bash
# From the start of a container to the end of a playbook of one task: the image of .ci/image against `pip install ansible`
# on a slim Python. As in the python:slim images, the standard library has no byte code there. Needs podman, buildah, hyperfine, and .ci/image to have run.
#
#   benches/image.sh [RUNS]
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-10}
export CONTAINERS_CONF=$PWD/target/containers.conf
arch=$(dpkg --print-architecture)
peer=localhost/gitops-status-peer
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! podman image exists $peer; then
    printf '%s\n' "FROM localhost/gitops-status-base:$arch" \
        'RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends python3 python3-pip openssh-client ca-certificates' \
        'RUN --mount=type=secret,id=ca,target=/etc/ssl/certs/ca-certificates.crt pip install --quiet --no-cache-dir --break-system-packages ansible' \
        "RUN find /usr/lib/python3* -name '*.pyc' -delete" \
        > "$work/Dockerfile"
    buildah build --network=host --isolation chroot --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt -t $peer "$work" > "$work/log" 2>&1 ||
        { tail "$work/log"; exit 1; }
fi
printf -- '- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: {msg: reached}\n' > "$work/site.yml"
printf 'web1 ansible_connection=local\n' > "$work/hosts"
chmod 755 "$work"
run="podman --runtime runc run --rm --network none --volume $work:/w:ro --workdir /w"
settings='--env PLUGIN_DRY_RUN=true --env PLUGIN_REPO_NAME=r --env PLUGIN_SERVER_NAME=s --env PLUGIN_PLAYBOOK=site.yml --env PLUGIN_INVENTORY=hosts'
# The step ends with 1: a playbook of one debug task verifies nothing.
hyperfine --ignore-failure --warmup 2 --runs "$runs" --export-json "$work/result" \
    --command-name 'pip install ansible' "$run $peer ansible-playbook -i hosts --check --diff site.yml" \
    --command-name 'this image, the step' "$run $settings plugin-gitops-status:test-$arch" > /dev/null 2>&1
jq -r '.results | (.[] | "\(.command): \(.median * 1000 | round) ms"), "\(.[0].median / .[1].median * 100 | round / 100) x quicker"' "$work/result"
podman image ls --format '{{.Repository}} {{.Size}}' | grep -E 'gitops-status-peer|plugin-gitops-status' | sort -u
