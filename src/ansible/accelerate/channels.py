"""Holds the channels to the servers for the length of one run of `ansible-playbook`.

Ansible's workers live for one task each, so what they share has to live elsewhere. A worker connects to this process
over a Unix socket in the run's private directory and asks for a channel by its key. If there is none, the worker opens
it (it has Ansible's options and passwords) and hands over its ends. From then on the worker's module goes to the
server and its answer comes back through here; nothing of it is kept. What every module brings along unchanged, the
archive with its files, is kept and sent to each channel once.

    channels.py LISTENING_SOCKET PID_OF_ANSIBLE_PLAYBOOK

It ends with that process, and the channels with it. It never decides that something has run: a worker whose answer
cannot come any more hears so.
"""
import array
import collections
import json
import os
import resource
import selectors
import socket
import struct
import sys
import time

import frames
from frames import ARCHIVE, ASK, COMMAND, DROP, ERR, EXIT, GO, LOST, MODULE, NEED, NOT_STARTED, OPEN, OPENED, OUT, PLAIN
from frames import RESET, RUN, SCRIPT, STORE, UNFIT, Ended
from peers import Channel, Worker, began, now

IDLE = 240  # seconds after which a channel is no longer used; the server's end waits longer
WAITING = 4 << 20  # bytes that may wait for one worker
ARCHIVES = 4 << 20  # bytes of archives that a channel keeps
CACHE = 64 << 20  # and this process
CHANNELS = 4  # to one host
COMMANDS = 3  # of one login go their own way before a channel is opened for more: a task has as many
CHANGES = 5  # as often is a server left that changes what a login reads; then its modules go their own way
SAID = 2000  # the last bytes of what ssh said


class Channels:
    def __init__(self, listening, main):
        self.selector = selectors.DefaultSelector()
        self.listening = listening
        self.channels = {}  # by key
        self.opening = {}  # by key: who opens it, then those who wait
        self.unfit = set()  # keys whose server does not take to this
        self.seen = set()  # keys that were asked for before
        self.plain = {}  # by login: the key and the command of a module that needs no become and no environment
        self.commands = collections.Counter()  # by login: how many were asked for
        self.changes = collections.Counter()  # by key: how often a new login had to be made
        self.archives = {}  # by digest
        self.cached = 0
        self.main = main
        listening.setblocking(False)
        self.selector.register(listening, selectors.EVENT_READ, self.accept)
        try:
            self.selector.register(os.pidfd_open(main), selectors.EVENT_READ, lambda _: os._exit(0))
            self.patience = None
        except (OSError, AttributeError):
            self.patience = 0.5  # an old kernel: it is asked for again and again
        self.began = began(main)

    def serve(self):
        while True:
            events = self.selector.select(self.patience)
            if self.patience and began(self.main) != self.began:
                os._exit(0)
            # What servers say comes first: who asks for a channel that has just ended must not get it.
            events.sort(key=lambda event: isinstance(event[0].data, tuple))
            for key, mask in events:
                if self.selector.get_map().get(key.fd) is not key:
                    continue  # closed in this turn
                if isinstance(key.data, tuple):
                    handler, worker = key.data
                    self.guarded(worker, handler, mask)
                else:
                    key.data(mask)

    # Workers.

    def accept(self, _):
        try:
            sock, _ = self.listening.accept()
        except OSError:
            time.sleep(0.01)  # too many open files: somebody else has to end first
            return
        uid = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
        if uid != os.getuid():
            sock.close()
            return
        sock.setblocking(False)
        worker = Worker(sock)
        self.selector.register(sock, selectors.EVENT_READ, (self.on_worker, worker))

    def guarded(self, worker, handler, *arguments):
        try:
            handler(worker, *arguments)
        except (Ended, KeyError, ValueError):
            self.dismiss(worker)

    def on_worker(self, worker, mask):
        if mask & selectors.EVENT_WRITE:
            worker.to_worker.flush()
            self.watch_worker(worker)
        if mask & selectors.EVENT_READ:
            ancillary = socket.CMSG_SPACE(3 * array.array("i").itemsize)
            try:
                data, extra, _, _ = worker.sock.recvmsg(frames.CHUNK, ancillary)
            except BlockingIOError:
                return
            except OSError as error:
                raise Ended from error
            for level, kind, fds in extra:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    worker.fds += array.array("i", fds[:len(fds) - len(fds) % 4])
            if not data:
                raise Ended
            worker.buffer += data
            self.on_frames(worker)

    def on_frames(self, worker):
        handlers = {ASK: self.on_ask, OPENED: self.on_opened, UNFIT: self.on_unfit, MODULE: self.on_module,
                    ARCHIVE: self.on_archive, RESET: self.on_reset, SCRIPT: self.on_script}
        while frame := frames.taken(worker.buffer, frames.WORKER):
            kind, body = frame
            handlers[kind](worker, body)

    def tell(self, worker, kind, body=b""):
        worker.to_worker.add(frames.WORKER.pack(kind, len(body)) + body)
        self.watch_worker(worker)

    def watch_worker(self, worker):
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.to_worker.queue else 0)
        self.selector.modify(worker.sock, events, (self.on_worker, worker))
        if worker.channel and worker.channel.open:
            self.watch_channel(worker.channel)

    def on_ask(self, worker, body):
        worker.asked = asked = {"key": None, **json.loads(body)}
        if not asked["command"]:
            self.plain.setdefault(asked["login"], asked["plain"])
        elif not self.known_login(asked):
            self.tell(worker, PLAIN)
            return
        key = asked["key"]
        channel = self.channels.get(key)
        if channel and now() - channel.used > IDLE and not channel.users:
            self.retire(channel)
            channel = None
        if channel:
            self.assign(worker, channel)
        elif key in self.opening:
            self.opening[key].append(worker)
        elif key in self.unfit or self.too_rare(asked) or self.too_many(asked):
            self.tell(worker, PLAIN)
        else:
            self.opening[key] = [worker]
            self.tell(worker, OPEN, json.dumps(asked["plain"][1]).encode())

    def known_login(self, asked):
        """Completes what is asked for a command: it goes where a module would go that needs nothing but the login."""
        plain = self.plain.get(asked["login"])
        if plain is None:
            return False
        asked["key"], asked["plain"] = plain[0], plain
        return True

    def too_rare(self, asked):
        """What is likely to be asked for once, such as an environment of a task's own, opens no channel at once."""
        key, login = asked["key"], asked["login"]
        if asked["command"]:
            self.commands[login] += 1
            return self.commands[login] <= COMMANDS
        rare = asked["rare"] and key not in self.seen
        self.seen.add(key)
        return rare

    def too_many(self, asked):
        """Whether there is no place for another channel, after the one that was used least lately has made way. For
        commands none does: each module with become would ask for its channel again."""
        descriptors = len(self.selector.get_map()) + 100
        if descriptors > resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
            return True
        there = [channel for channel in self.channels.values() if channel.host == asked["host"]]
        if len(there) < CHANNELS:
            return False
        idle = [channel for channel in there if not channel.users and not asked["command"]]
        if idle:
            self.retire(min(idle, key=lambda channel: channel.used))
        return not idle

    def assign(self, worker, channel):
        worker.channel = channel
        channel.users.add(worker)
        self.tell(worker, GO, channel.greeting)

    def on_opened(self, worker, greeting):
        key = worker.asked["key"]
        waiting = self.opening.pop(key)
        channel = Channel(key, worker.asked["host"], worker.fds[:3], greeting)
        worker.fds = []
        self.channels[key] = channel
        self.selector.register(channel.stdout, selectors.EVENT_READ, lambda mask: self.on_server(channel))
        self.selector.register(channel.stderr, selectors.EVENT_READ, lambda mask: self.on_said(channel))
        for other in waiting:
            self.guarded(other, self.assign, channel)

    def on_unfit(self, worker, _):
        self.unfit.add(worker.asked["key"])
        self.give_up(worker)

    def give_up(self, worker):
        """It did not open: the others do not wait for one another."""
        for other in self.opening.pop(worker.asked["key"], [worker])[1:]:
            self.guarded(other, self.tell, PLAIN)

    def on_module(self, worker, body):
        digest, split = frames.DESCRIBED.unpack_from(body)
        worker.module = digest, split, body[frames.DESCRIBED.size:]
        if not worker.channel.open:
            self.tell(worker, NOT_STARTED, b"gone")
        elif digest in worker.channel.archives:
            self.start(worker)
        elif digest in self.archives:
            self.store(worker.channel, digest, self.archives[digest])
            self.start(worker)
        else:
            self.tell(worker, NEED)

    def on_script(self, worker, script):
        self.send(worker, COMMAND, script)

    def on_archive(self, worker, archive):
        digest = worker.module[0]
        if self.cached + len(archive) <= CACHE:
            self.archives[digest] = archive
            self.cached += len(archive)
        if not worker.channel.open:
            self.tell(worker, NOT_STARTED, b"gone")
            return
        if digest not in worker.channel.archives:
            self.store(worker.channel, digest, archive)
        self.start(worker)

    def store(self, channel, digest, archive):
        channel.numbers += 1
        channel.archives[digest] = channel.numbers, len(archive)
        self.write(channel, frames.SERVER.pack(STORE, channel.numbers, len(archive)), archive)
        while sum(size for _, size in channel.archives.values()) > ARCHIVES and len(channel.archives) > 1:
            _, (number, _) = channel.archives.popitem(last=False)
            self.write(channel, frames.SERVER.pack(DROP, number, 0))

    def start(self, worker):
        channel, (digest, split, text) = worker.channel, worker.module
        channel.archives.move_to_end(digest)
        worker.module = None
        self.send(worker, RUN, frames.SPLIT.pack(channel.archives[digest][0], split) + text)

    def send(self, worker, kind, body):
        channel = worker.channel
        if not channel.open:
            self.tell(worker, NOT_STARTED, b"gone")
            return
        channel.numbers += 1
        worker.number = channel.numbers
        worker.sent_from = channel.to_server.written + channel.to_server.size
        channel.running[worker.number] = worker
        self.write(channel, frames.SERVER.pack(kind, worker.number, len(body)), body)

    def on_reset(self, worker, body):
        host = json.loads(body)["host"]
        for channel in [channel for channel in self.channels.values() if channel.host == host]:
            self.retire(channel)
        self.unfit.clear()
        self.tell(worker, GO)

    def dismiss(self, worker):
        """A worker is gone. A module of its runs on, as it would without this process."""
        if worker.gone:
            return
        worker.gone = True
        self.selector.unregister(worker.sock)
        worker.sock.close()
        worker.to_worker.clear()
        for fd in worker.fds:
            os.close(fd)
        if worker.asked and worker in self.opening.get(worker.asked["key"], []):
            waiting = self.opening[worker.asked["key"]]
            if waiting[0] is worker:
                self.give_up(worker)
            else:
                waiting.remove(worker)
        channel, worker.channel = worker.channel, None
        if channel:
            self.leave(channel, worker)
            if channel.open:
                self.watch_channel(channel)

    # Servers.

    def write(self, channel, *parts):
        try:
            for part in parts:
                channel.to_server.add(part)
            channel.to_server.flush()
            self.watch_channel(channel)
        except Ended:
            self.lose(channel)

    def watch_channel(self, channel):
        """Reads from a server only as fast as its workers do."""
        full = any(worker.to_worker.size > WAITING for worker in channel.running.values())
        self.watch(channel.stdout, 0 if full else selectors.EVENT_READ, lambda mask: self.on_server(channel))
        waiting = selectors.EVENT_WRITE if channel.to_server.queue else 0
        self.watch(channel.stdin, waiting, lambda mask: self.write(channel))

    def watch(self, fd, events, handler):
        watched = self.selector.get_map().get(fd)
        if watched and not events:
            self.selector.unregister(fd)
        elif watched and watched.events != events:
            self.selector.modify(fd, events, handler)
        elif not watched and events:
            self.selector.register(fd, events, handler)

    def on_said(self, channel):
        try:
            while (data := frames.received(channel.stderr)) is not None:
                channel.said = (channel.said + data)[-SAID:]
        except Ended:
            self.watch(channel.stderr, 0, None)

    def on_server(self, channel):
        try:
            data = frames.received(channel.stdout)
        except Ended:
            self.lose(channel)
            return
        channel.buffer += data or b""
        while channel.open and (frame := frames.taken(channel.buffer, frames.SERVER)):
            kind, number, body = frame
            if kind not in (OUT, ERR, EXIT, NOT_STARTED):
                self.lose(channel)
                return
            worker = channel.running.get(number)
            if kind == NOT_STARTED and body == b"changed" and channel.key:
                self.changes[channel.key] += 1
                if self.changes[channel.key] > CHANGES:
                    self.unfit.add(channel.key)
                self.retire(channel)
            if worker and worker.channel:
                self.guarded(worker, self.tell, kind, body)
            if kind in (EXIT, NOT_STARTED) and worker:
                del channel.running[number]
                worker.number = None
                self.leave(channel, worker)

    def leave(self, channel, worker):
        if worker.number is None:
            channel.users.discard(worker)
        channel.used = now()
        if channel.key is None and not channel.users:
            self.close(channel)

    def retire(self, channel):
        """No new module goes there; what runs there runs to its end."""
        if channel.key is not None:
            self.channels.pop(channel.key, None)
            channel.key = None
        if not channel.users:
            self.close(channel)

    def lose(self, channel):
        """The channel has ended. Nobody can know what became of the modules that were under way."""
        if not channel.open:
            return
        self.on_said(channel)
        for worker in list(channel.running.values()):
            worker.number = None
            if worker.channel:
                if channel.to_server.written <= worker.sent_from:
                    self.guarded(worker, self.tell, NOT_STARTED, b"gone")
                else:
                    self.guarded(worker, self.tell, LOST, channel.said)
        channel.running.clear()
        channel.users.clear()
        self.retire(channel)

    def close(self, channel):
        if channel.open:
            channel.open = False
            for fd in (channel.stdin, channel.stdout, channel.stderr):
                self.watch(fd, 0, None)
                os.close(fd)


def main():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    Channels(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])).serve()


if __name__ == "__main__":
    main()
