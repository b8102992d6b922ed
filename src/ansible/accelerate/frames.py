"""How the pieces on the agent talk: what a worker and the holder of the channels say to each other, and what goes to
a server and comes back. A frame is a kind, a length (to and from a server also a number, which names a module or an
archive) and that many bytes."""
import collections
import os
import struct

SERVER = struct.Struct(">BII")  # kind, number, length
# To a server: keep an archive, forget one, run a module, run a command. From there: its output, its errors, its exit
# code, or that it was not started. These four go on to the worker as they are.
STORE, DROP, RUN, OUT, ERR, EXIT, NOT_STARTED, COMMAND = range(1, 9)
# How a module is described: the number of its archive, and how much of its text stands before that.
SPLIT = struct.Struct(">II")
# The same between a worker and the holder of the channels: the archive's digest, and how much text stands before it.
DESCRIBED = struct.Struct(">32sI")
CODE = struct.Struct(">i")  # an exit code, or a signal below zero

WORKER = struct.Struct(">BI")  # kind, length
ASK, OPENED, UNFIT, MODULE, ARCHIVE, RESET, SCRIPT = range(20, 27)  # from a worker
GO, OPEN, PLAIN, NEED, LOST = range(40, 45)  # to a worker, besides what comes from a server

CHUNK = 65536


class Ended(Exception):
    """The other side is gone."""


class Stream:
    """What waits to be written to a descriptor that does not block."""

    def __init__(self, fd):
        self.fd = fd
        self.queue = collections.deque()
        self.size = 0  # bytes that wait
        self.written = 0  # bytes since the beginning

    def add(self, data):
        self.queue.append(memoryview(data))
        self.size += len(data)
        self.flush()

    def flush(self):
        while self.queue:
            try:
                count = os.write(self.fd, self.queue[0][:CHUNK])
            except BlockingIOError:
                return
            except OSError as error:
                raise Ended from error
            self.written += count
            self.size -= count
            if count == len(self.queue[0]):
                self.queue.popleft()
            else:
                self.queue[0] = self.queue[0][count:]

    def clear(self):
        self.queue.clear()
        self.size = 0


def received(fd):
    """What there is to read now; `None` where nothing is, and `Ended` at the end."""
    try:
        data = os.read(fd, CHUNK)
    except BlockingIOError:
        return None
    except OSError as error:
        raise Ended from error
    if not data:
        raise Ended
    return data


def taken(buffer, header):
    """The next frame's fields but the length, and its bytes, taken from the buffer; `None` where it is not whole."""
    if len(buffer) < header.size:
        return None
    *fields, length = header.unpack_from(buffer)
    end = header.size + length
    if len(buffer) < end:
        return None
    body = bytes(buffer[header.size:end])
    del buffer[:end]
    return (*fields, body)
