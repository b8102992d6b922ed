#!/bin/bash
# A box: a Debian system of its own, in namespaces of its own, in which playbooks may change whatever they like.
#
#   box.sh base DIR             make the file tree that boxes start from (needs the network; some minutes)
#   box.sh up DIR BASE          start a box whose changes go to DIR; its systemd is process 1 of a process namespace
#   box.sh run DIR COMMAND      run a shell command in it
#   box.sh down DIR             end it and remove DIR
#
# Its files are an overlay above BASE, which stays as it is. It has no network but its own loopback; /proc/sys is a copy
# made of plain files; it may load no kernel module and set no clock. Needs root, cgroup version 2 and overlayfs.
set -euo pipefail

base() { # DIR
    local work mirror
    work=$(mktemp -d)
    mirror=${DEBIAN_MIRROR:-$(sed -n 's,^\(deb\|URIs:\) .*\(https\?://[^ ]*/debian\)/\?\( .*\)\?$,\2,p; s,^URIs: *\(https\?://[^ ]*/debian\)/\?$,\1,p' \
        /etc/apt/sources.list /etc/apt/sources.list.d/* 2> /dev/null | head -n 1 || true)}
    [ -n "$mirror" ] || { echo 'No Debian mirror stands in /etc/apt/sources.list: set DEBIAN_MIRROR' >&2 && exit 1; }
    if ! command -v debootstrap > /dev/null; then
        # Unpacked, not installed: this machine keeps the packages it has.
        (cd "$work" && apt-get -qq download debootstrap && dpkg -x debootstrap_*.deb .)
        export DEBOOTSTRAP_DIR=$work/usr/share/debootstrap PATH=$PATH:$work/usr/sbin
    fi
    mkdir -p "$1.new"
    debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,python3,python3-apt bookworm "$1.new" "$mirror" > "$1.log"
    printf 'deb %s bookworm main\n' "$mirror" > "$1.new/etc/apt/sources.list"
    printf '%s\n' force-unsafe-io path-exclude=/usr/share/{doc,man,locale}/'*' > "$1.new/etc/dpkg/dpkg.cfg.d/atlas"
    printf '#!/bin/sh\nexit 101\n' > "$1.new/usr/sbin/policy-rc.d"
    chmod +x "$1.new/usr/sbin/policy-rc.d"
    sed 's/#.*//' "$(dirname "$0")/packages" > "$1.new/root/packages"
    unshare --mount --pid --fork --propagation private bash -euc '
        mount -t proc proc "$1/proc"
        export DEBIAN_FRONTEND=noninteractive LC_ALL=C
        chroot "$1" apt-get -qq update
        chroot "$1" sh -c "apt-get -qq -y install --no-install-recommends \$(cat /root/packages)"
        chroot "$1" apt-get clean' base "$1.new" >> "$1.log" 2>&1
    rm "$1.new/usr/sbin/policy-rc.d"
    # What boots here starts as few services as it can; an experiment starts the ones it needs.
    chroot "$1.new" systemctl -q disable mariadb postgresql redis-server apache2 supervisor monit ufw firewalld nftables \
        lvm2-monitor apt-daily.timer apt-daily-upgrade.timer e2scrub_reap > /dev/null 2>&1 || true
    rm -rf "$work"
    mv "$1.new" "$1"
}

up() { # DIR BASE
    local dir cgroup pid state
    mkdir -p "$1"
    dir=$(realpath "$1")
    cgroup=/sys/fs/cgroup
    [ ! -d "$cgroup/unified" ] || cgroup=$cgroup/unified
    cgroup=$cgroup/atlas-$$
    mkdir "$cgroup"
    echo "$cgroup" > "$dir/cgroup"
    mkdir -p "$dir/upper" "$dir/work" "$dir/root"
    (
        echo "$BASHPID" > "$cgroup/cgroup.procs"
        exec setsid unshare --mount --pid --fork --uts --ipc --net --cgroup --propagation private \
            bash "$(realpath "$0")" inside "$dir" "$(realpath "$2")"
    ) < /dev/null > "$dir/log" 2>&1 9>&- &
    for _ in $(seq 300); do
        pid=$(cat "$dir/pid" 2> /dev/null || true)
        # Until it is systemd, its root still is this machine's.
        if [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = systemd ]; then
            state=$(run "$dir" 'systemctl is-system-running' 2> /dev/null) || true
            case $state in running | degraded) return ;; esac
        fi
        sleep 0.2
    done
    cat "$dir/log" >&2
    echo "box.sh: the box in $dir did not start" >&2
    return 1
}

inside() { # DIR BASE: process 1 of the new namespaces, until systemd takes its place
    local dir=$1 root=$1/root name pid
    # The /proc that is mounted here still is the outer one: it tells the outer number of this process.
    read -r pid _ < /proc/self/stat
    ip link set lo up
    mount -t overlay -o "lowerdir=$2,upperdir=$dir/upper,workdir=$dir/work" overlay "$root"
    cp -r /proc/sys "$dir/sysctl" 2> /dev/null || true
    chmod -R u+w "$dir/sysctl"
    mount -t proc proc "$root/proc"
    mount --bind "$dir/sysctl" "$root/proc/sys"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs tmpfs "$root/run"
    mount -t tmpfs -o mode=755 tmpfs "$root/dev"
    for name in null zero full random urandom tty; do
        touch "$root/dev/$name"
        mount --bind "/dev/$name" "$root/dev/$name"
    done
    ln -s /proc/self/fd "$root/dev/fd"
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    mount -t tmpfs tmpfs "$root/dev/shm"
    hostname atlas
    echo atlas > "$root/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 atlas\n' > "$root/etc/hosts"
    echo "$pid" > "$dir/pid"
    cd "$root"
    mkdir -p .old
    pivot_root . .old
    umount -l /.old
    rmdir /.old
    exec env -i container=podman PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb setpriv \
        --bounding-set -sys_time,-sys_module,-sys_boot,-sys_rawio,-mac_admin,-mac_override,-syslog \
        --inh-caps -sys_time,-sys_module,-sys_boot,-sys_rawio /sbin/init
}

run() { # DIR COMMAND
    exec "$(dirname "$0")/enter" "$1" "$2"
}

down() { # DIR
    local cgroup
    [ -d "$1" ] || return 0
    cgroup=$(cat "$1/cgroup" 2> /dev/null || true)
    if [ -d "$cgroup" ]; then
        # The end of its process 1 is the end of all of them, and of its mounts.
        echo 1 > "$cgroup/cgroup.kill" 2> /dev/null || kill -9 "$(cat "$1/pid")" 2> /dev/null || true
        for _ in $(seq 50); do
            find "$cgroup" -depth -type d -exec rmdir {} + 2> /dev/null || true
            [ -d "$cgroup" ] || break
            sleep 0.1
        done
    fi
    rm -rf --one-file-system "$1"
}

command=${1:-}
case $command in
base | up | run | down | inside) shift && $command "$@" ;;
*) sed -n '2,/^set/{/^#/p}' "$0" >&2 && exit 2 ;;
esac
