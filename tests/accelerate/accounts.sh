#!/bin/sh
# Runs a command in a mount namespace with accounts of its own, which are gone when it ends.
#
#   accounts.sh FOLDER_WITH_PASSWD_GROUP_SHADOW_SUDOERS_SUDOERS.D COMMAND...
set -eu
folder=$1
shift
for name in passwd group shadow sudoers sudoers.d; do mount --bind "$folder/$name" "/etc/$name"; done
exec "$@"
