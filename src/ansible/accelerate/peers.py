"""Whom the holder of the channels deals with: the servers' ends and the workers."""
import collections
import os
import time

from frames import Stream


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Channel:
    """One process on a server, and the ssh that leads there."""

    def __init__(self, key, host, fds, greeting):
        self.key, self.host, self.greeting = key, host, greeting
        self.stdin, self.stdout, self.stderr = fds
        self.to_server = Stream(self.stdin)
        self.buffer = bytearray()
        self.said = b""
        self.archives = collections.OrderedDict()  # by digest: number and size
        self.numbers = 0
        self.users = set()  # workers that were told to go
        self.running = {}  # by number
        self.used = now()
        self.open = True
        for fd in fds:
            os.set_blocking(fd, False)


class Worker:
    """A worker's connection; it is there for one module."""

    def __init__(self, sock):
        self.sock = sock
        self.to_worker = Stream(sock.fileno())
        self.buffer = bytearray()
        self.fds = []
        self.asked = {}
        self.channel = None
        self.number = None
        self.module = None
        self.sent_from = None  # where the module begins among all that went to the server
        self.gone = False


def began(pid):
    """When a process began, so that its number is not taken for another's; `None` where it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            fields = file.read().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except OSError:
        return None
