#!/bin/bash
# Starts a real sshd on a free loopback port, for one test. Makes under $CASE_TMP: ssh/{key,known_hosts,pid,port} and an
# inventory.ini with the host web1. Stop it with: kill $(cat $CASE_TMP/ssh/pid)
#
# $SSHD_NAME is another name than ssh for the directory, $SSHD_CONFIG holds lines that come first in sshd's configuration,
# and $SSHD_RUN words that start sshd in another way, such as a namespace of its own.
set -eu
sshd=$(command -v sshd || echo /usr/sbin/sshd)
[ -x "$sshd" ] || { echo "sshd is not installed (Debian: apt-get install openssh-server)" >&2; exit 77; }
dir=$CASE_TMP/${SSHD_NAME:-ssh}
mkdir -p "$dir" /run/sshd 2>/dev/null || mkdir -p "$dir"
for name in host key; do ssh-keygen -q -t ed25519 -N '' -f "$dir/$name"; done
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
echo "$port" > "$dir/port"
printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 "$dir/host.pub")" > "$dir/known_hosts"
cat > "$dir/config" <<END
${SSHD_CONFIG:-}
Port $port
ListenAddress 127.0.0.1
HostKey $dir/host
PidFile $dir/pid
AuthorizedKeysFile $dir/key.pub
Subsystem sftp internal-sftp
PasswordAuthentication no
StrictModes no
UsePAM no
MaxStartups 100
LogLevel VERBOSE
# Not the first shell, so that bash leaves ~/.bashrc alone, which may do anything and take longer than a module.
SetEnv SHLVL=1
END
${SSHD_RUN:-} "$sshd" -f "$dir/config" -E "$dir/log"
# It forks once it listens; the pid file comes a moment later.
timeout 10 sh -c "until [ -s '$dir/pid' ]; do :; done"
python=/usr/bin/python3
[ -x $python ] || python=$(command -v python3)
cat > "$CASE_TMP/inventory.ini" <<END
[web]
web1
[all:vars]
ansible_host=127.0.0.1
ansible_port=$port
ansible_user=$(id -un)
ansible_ssh_private_key_file=$dir/key
ansible_ssh_common_args=-o UserKnownHostsFile=$dir/known_hosts -o GlobalKnownHostsFile=/dev/null -o IdentitiesOnly=yes -o ControlPath=none
ansible_python_interpreter=$python
END
