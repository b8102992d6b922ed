"""Runs on the server for the length of a check: forks for each module that arrives, and runs it in the child. The commands
around modules, which make and remove a directory, arrive here as well.

It is started by the same command line as any module, with the same user, shell, environment and limits, and lives in
memory alone. A module arrives as the unchanged text that Ansible would have given to a new Python, and the child runs
that text as `__main__`. Frames in both directions are a kind, a number and a length, followed by that many bytes.

The source that the server is given sets `READY`, `SHELL`, `BEFORE` and `AFTER`, and then comes `imports.py`, then this.
It runs with Python 3.6 too.
"""
import atexit
import gc
import os
import random
import select
import struct

# What the wrapper around every module imports.
import datetime, resource, runpy, shutil, tempfile  # noqa: E401, F401

if not sys.platform.startswith("linux"):
    sys.exit(9)  # a fork without exec is not safe everywhere, and this was tried nowhere else

HEADER = struct.Struct(">BII")
SPLIT = struct.Struct(">II")  # the number of an archive, and how much of the text stands before it
STORE, DROP, RUN, OUT, ERR, EXIT, NOT_STARTED, COMMAND = range(1, 9)
ABLE, UNABLE = b"1", b"0"  # to run the module that it was made for: what a child says of itself
CHUNK = 65536
IDLE = 600  # seconds without a module after which this process ends by itself
PARENT = set()  # names of modules that a child got from its parent
# What a new login, a new Python or a library that `imports.py` loads would read; when one of these changes, only a new
# login will do. Of a directory in `/etc`, that is each file.
READ_AT_LOGIN = """/etc/passwd /etc/group /etc/shadow /etc/environment /etc/profile /etc/profile.d /etc/bash.bashrc
/etc/login.defs /etc/nsswitch.conf /etc/localtime /etc/locale.conf /etc/default/locale /usr/lib/locale/locale-archive
/etc/ld.so.cache /etc/ld.so.preload /etc/pam.conf /etc/pam.d /etc/security /etc/security/limits.d /etc/sudoers
/etc/sudoers.d /etc/zsh /etc/zshenv /etc/selinux/config /etc/ssl/openssl.cnf /etc/pki/tls/openssl.cnf
/etc/crypto-policies/back-ends ~/.bashrc ~/.bash_profile ~/.profile ~/.zshenv ~/.cshrc ~/.pam_environment
~/.ssh/environment ~/.ssh/rc""".split()
READ_AT_LOGIN = [os.path.expanduser(path) for path in READ_AT_LOGIN] + [sys.executable] + sys.path
LISTED = [path for path in READ_AT_LOGIN if path.startswith("/etc/") and os.path.isdir(path)]
try:
    BEGAN_IN = os.getcwd()
except OSError:
    BEGAN_IN = None  # it is gone already


def read_at_login():
    paths = READ_AT_LOGIN[:]
    for folder in LISTED:
        try:
            paths += [folder + "/" + name for name in sorted(os.listdir(folder))]
        except OSError:
            pass  # it is not this user's to read
    found = []
    for path in paths:
        try:
            status = os.stat(path)
            found.append((path, status.st_ino, status.st_size, status.st_mtime))
        except OSError:
            found.append((path, None))
    try:
        # A new login begins in what has this name by then.
        folder = os.stat(BEGAN_IN)
        found.append((folder.st_dev, folder.st_ino))
    except (OSError, TypeError):
        pass
    return found


def ended_by(signal):
    """What becomes of a module that a signal ended: the exit code, or the signal below zero, and what is said of it.

    Some shells wait for the interpreter and speak for it, others are replaced by it, so the server's own is tried."""
    import subprocess  # seldom needed

    script = "%s%s -c 'ulimit -c 0; kill -%d $$'%s" % (BEFORE, SHELL, signal, AFTER)
    try:
        shell = subprocess.Popen([SHELL, "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE)
        said = shell.communicate()[1]
    except (OSError, MemoryError):
        return -signal, b""
    return shell.returncode, said


def frame(kind, number, body):
    return HEADER.pack(kind, number, len(body)) + body


def killed_by(signal):
    """The same of a command: nothing is around its shell."""
    return -signal, b""


class Module:
    """A module or a command that runs."""

    def __init__(self, number, pid, out, err, ended_by=ended_by):
        self.number = number
        self.ended_by = ended_by
        self.pid = pid
        self.open = {out: OUT, err: ERR}
        self.said = bytearray()  # frames that are not sent yet


class Loop:
    def __init__(self, channel_in):
        self.channel_in = channel_in
        self.channel_out = os.dup(1)
        # Whatever is printed in this process belongs to no module.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
        self.login = read_at_login()
        self.files = Files()
        self.payloads = {}
        self.running = []

    def serve(self):
        """Returns in children alone, with the code to run."""
        self.send(READY)
        while True:
            ended = self.collect()
            sources = [self.channel_in] + [fd for module in self.running for fd in module.open]
            patience = IDLE if not self.running else 0.001 if ended else None
            readable = select.select(sources, [], [], patience)[0]
            if not readable and not self.running:
                os._exit(0)
            for module in self.running:
                for fd in [fd for fd in module.open if fd in readable]:
                    self.relay(module, fd)
            if self.channel_in in readable:
                kind, number, length = HEADER.unpack(self.received(HEADER.size))
                if kind == STORE:
                    self.store(number, self.received(length))
                elif kind == DROP:
                    self.payloads.pop(number, None)
                elif kind == RUN:
                    code = self.run(number, length)
                    if code is not None:
                        return code
                elif kind == COMMAND:
                    self.command(number, self.received(length))

    def read(self, most):
        part = os.read(self.channel_in, min(CHUNK, most))
        if not part:
            self.end()
        return part

    def received(self, count):
        """So many bytes; `None` where there is no memory for them, and then they are passed over."""
        data = bytearray()
        try:
            while count:
                part = self.read(count)
                count -= len(part)
                data += part
            return bytes(data)
        except MemoryError:
            del data
            while count:
                count -= len(self.read(count))
            return None

    def store(self, number, text):
        """Keeps an archive. One that cannot be kept is known all the same, and nothing is started with it."""
        self.payloads[number] = None
        try:
            payload = Payload(text)
            self.files.prepare(payload)
            self.payloads[number] = payload
        except Exception:
            pass

    def run(self, number, length):
        archive, split = SPLIT.unpack(self.received(SPLIT.size))
        length -= SPLIT.size
        payload = self.payloads.get(archive)
        pid, pipes = None, []
        if read_at_login() == self.login:
            try:
                for _ in range(3):
                    pipes += os.pipe()
                pid = os.fork() if payload else None
            except (OSError, MemoryError):
                pass
            why = b"cannot"
        else:
            why = b"changed"
        if pid == 0:
            return self.child(pipes, payload, split, length)
        for fd in pipes[1::2] if pid else pipes:
            os.close(fd)
        if pid is None:
            while length:
                length -= len(self.read(length))
            return self.send(frame(NOT_STARTED, number, why))
        # The child reads what it is to do by itself: a module's arguments are never in this process.
        said = os.read(pipes[4], 1)
        os.close(pipes[4])
        if said == UNABLE:
            os.waitpid(pid, 0)
            for fd in (pipes[0], pipes[2]):
                os.close(fd)
            return self.send(frame(NOT_STARTED, number, b"cannot"))
        self.running.append(Module(number, pid, pipes[0], pipes[2]))
        if said != ABLE:
            self.end()

    def command(self, number, script):
        """Starts what a shell was to be given. That takes less than a fork of this process, which is large."""
        import subprocess  # modules bring it along

        if read_at_login() != self.login:
            return self.send(frame(NOT_STARTED, number, b"changed"))
        pipes = []
        try:
            if script is None:
                raise MemoryError
            for _ in range(2):
                pipes += os.pipe()
            shell = subprocess.Popen([SHELL, "-c", script], stdout=pipes[1], stderr=pipes[3])
        except (OSError, MemoryError):
            for fd in pipes:
                os.close(fd)
            return self.send(frame(NOT_STARTED, number, b"cannot"))
        shell.returncode = 0  # it is waited for with the modules, and by nobody else
        for fd in pipes[1::2]:
            os.close(fd)
        self.running.append(Module(number, shell.pid, pipes[0], pipes[2], killed_by))

    def child(self, pipes, payload, split, length):
        """The code of a module, in a process that is to be its own."""
        text = self.received(length)
        try:
            if text is None:
                raise MemoryError
            code = compile(text[:split] + payload.text() + text[split:], "<stdin>", "exec", dont_inherit=True)
            for fd in [self.channel_in, self.channel_out] + [fd for module in self.running for fd in module.open]:
                os.close(fd)
            os.dup2(pipes[1], 1)
            os.dup2(pipes[3], 2)
            self.files.enter(payload)
            PARENT.update(sys.modules)
            sys.path[:] = BEGINNING
            random.seed()
        except MemoryError:
            os.write(pipes[5], UNABLE)
            os._exit(1)
        os.write(pipes[5], ABLE)
        for fd in pipes:
            os.close(fd)
        return code

    def relay(self, module, fd):
        data = os.read(fd, CHUNK)
        if data:
            module.said += frame(module.open[fd], module.number, data)
            if len(module.said) > CHUNK:
                self.send(module.said)
                module.said = bytearray()
        else:
            os.close(fd)
            del module.open[fd]

    def collect(self):
        """Tells of modules that are over; whether one has closed its output and is still there."""
        closed = False
        for module in [module for module in self.running if not module.open]:
            pid, status = os.waitpid(module.pid, os.WNOHANG)
            if pid == 0:
                closed = True
                continue
            code = os.WEXITSTATUS(status)
            if os.WIFSIGNALED(status):
                code, said = module.ended_by(os.WTERMSIG(status))
                module.said += frame(ERR, module.number, said)
            self.running.remove(module)
            self.send(module.said + frame(EXIT, module.number, struct.pack(">i", code)))
        return closed

    def send(self, data):
        view = memoryview(bytes(data))
        try:
            while view:
                view = view[os.write(self.channel_out, view):]
        except OSError:
            self.end()

    def end(self):
        """Nobody listens any more: what is still running goes with this process."""
        for _ in range(100):
            family = descendants([module.pid for module in self.running])
            if not family:
                break
            for pid in family:
                try:
                    os.kill(pid, 9)
                except OSError:
                    pass
            for module in self.running:
                try:
                    os.waitpid(module.pid, os.WNOHANG)
                except OSError:
                    pass
        os._exit(0)


def descendants(pids):
    """These processes and everything below them that lives, as far as there is a process table to read."""
    parents = {}
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else []:
        try:
            with open("/proc/%d/stat" % int(entry)) as file:
                fields = file.read().rpartition(")")[2].split()
            if fields[0] not in "ZX":
                parents[int(entry)] = int(fields[1])
        except (OSError, ValueError):
            continue
    if not parents:
        return pids
    family = [pid for pid in pids if pid in parents]
    for above in family:
        family += [pid for pid, parent in parents.items() if parent == above]
    return family


def execute(code, scope, ours):
    """Runs a payload as Python runs a script. `ours` names what is in its scope and not its own."""
    for name in ours:
        del scope[name]
    try:
        exec(code, scope)
        status = 0
    except SystemExit as leaving:
        status = 0 if leaving.code is None else leaving.code
        if type(status) is not int or not hasattr(atexit, "_run_exitfuncs"):
            raise
    except Exception as error:
        # Without the line of this function. What the error holds is shown, whatever the hook is given.
        error.__traceback__ = error.__traceback__.tb_next
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    finish(status)


def finish(status):
    """Ends as Python ends, but leaves alone what the parent had already: to take that apart is half of the work."""
    if "threading" in sys.modules:
        sys.modules["threading"]._shutdown()
    atexit._run_exitfuncs()
    for name in [name for name in sys.modules if name not in PARENT]:
        del sys.modules[name]
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, ValueError):
            pass  # the module has closed it
        except OSError:
            status = 120
    os._exit(status)
