"""A line between two network namespaces on which each packet takes a while; for kernels without `netem`.

    delay.py PID_OF_ONE_NAMESPACE PID_OF_THE_OTHER MILLISECONDS

Makes a network interface `line` in both and moves packets between them until it is killed.
"""
import collections
import ctypes
import fcntl
import os
import select
import struct
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000


def interface(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/%s/ns/net" % pid) as namespace:
        if libc.setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"line", IFF_TUN | IFF_NO_PI))
    return fd


def main():
    one, other = interface(sys.argv[1]), interface(sys.argv[2])
    delay = float(sys.argv[3]) / 1000
    to = {one: other, other: one}
    under_way = collections.deque()  # due, where to, packet
    print("ready", flush=True)
    while True:
        wait = max(0, under_way[0][0] - time.monotonic()) if under_way else None
        for fd in select.select([one, other], [], [], wait)[0]:
            try:
                while True:
                    packet = os.read(fd, 65536)
                    under_way.append((time.monotonic() + delay, to[fd], packet))
            except BlockingIOError:
                pass
        while under_way and under_way[0][0] <= time.monotonic():
            _, fd, packet = under_way.popleft()
            try:
                os.write(fd, packet)
            except OSError:
                pass  # an interface that is full or down loses packets


if __name__ == "__main__":
    main()
