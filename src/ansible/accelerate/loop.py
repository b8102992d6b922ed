"""Runs on the server for the length of a check: forks for each module that arrives, and runs it in the child.

It is started by the same command line as any module, with the same user, shell, environment and limits, and lives in
memory alone. A module arrives as the unchanged text that Ansible would have given to a new Python, and the child runs
that text as `__main__`. The parent only does in advance what every module does the same way: it compiles the files
that the module brings along and imports `ansible.module_utils.basic`. A child whose module brings other versions of
these files forgets the imported ones first.

Frames in both directions are a kind, a number and a length, followed by that many bytes. This file also runs with
Python 3.6. It is appended to a line that sets `READY`, and `serve` is called by whoever executed it.
"""
import sys

BEGINNING = sys.path[:]
# Nothing in the working directory may pass for a module of Python's own; a child gets the whole list back.
sys.path[:] = [entry for entry in BEGINNING if entry not in ("", ".")]

import atexit
import base64
import gc
import importlib.util
import io
import os
import random
import select
import struct
import warnings
import zipfile

# What the wrapper around every module imports.
import datetime, resource, runpy, shutil, tempfile, zipimport  # noqa: E401, F401

HEADER = struct.Struct(">BII")
SPLIT = struct.Struct(">II")  # the number of an archive, and how much of the text stands before it
STORE, DROP, RUN, OUT, ERR, EXIT, NOT_STARTED = range(1, 8)
CHUNK = 65536
IDLE = 600  # seconds without a module after which this process ends by itself
COMPILED = 3 << 20  # bytes of source that are kept compiled
NOWHERE = "/ansible_payload.zip"  # where compiled files seem to lie until a child knows better
COMMON = ("ansible.module_utils.basic", "ansible.module_utils._internal._ansiballz._loader")
PARENT = set()  # names of modules that a child got from its parent
# What a new login or a new Python would read; when one of these changes, only a new login will do.
READ_AT_LOGIN = """/etc/passwd /etc/group /etc/shadow /etc/environment /etc/profile /etc/profile.d /etc/bash.bashrc
/etc/login.defs /etc/nsswitch.conf /etc/localtime /etc/locale.conf /etc/default/locale /etc/ld.so.cache
/etc/ld.so.preload /etc/pam.d /etc/security /etc/security/limits.conf /etc/security/limits.d /etc/sudoers
/etc/sudoers.d ~/.bashrc ~/.bash_profile ~/.profile ~/.zshenv ~/.ssh/environment ~/.ssh/rc""".split()


def read_at_login():
    found = []
    for path in READ_AT_LOGIN + [sys.executable] + sys.path:
        try:
            status = os.stat(os.path.expanduser(path))
            found.append((status.st_ino, status.st_size, status.st_mtime))
        except OSError:
            found.append(None)
    return found


def frame(kind, number, body):
    return HEADER.pack(kind, number, len(body)) + body


class Files:
    """Finds and loads the modules that a payload brings along, from code that was compiled once."""

    def __init__(self):
        self.archive = NOWHERE
        self.payload = None
        self.code = {}  # by path and checksum
        self.compiled = 0
        self.imported = {}  # modules imported in advance, with the checksum of their file
        self.is_child = False

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ("ansible", "ansible_collections"):
            return None
        if self.archive == NOWHERE and self.is_child:
            self.move()
        if self.known(name) is None:
            return None
        return importlib.util.spec_from_loader(name, self, is_package=self.is_package(name))

    def known(self, name):
        return self.code.get(self.payload.files.get(name))

    def path_of(self, name):
        return self.archive + "/" + self.payload.files[name][0]

    # What Python asks of a loader.

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(self.get_code(module.__name__), module.__dict__)

    def is_package(self, name):
        return self.payload.files[name][0].endswith("/__init__.py")

    def get_filename(self, name):
        return self.path_of(name)

    def get_code(self, name):
        code = self.known(name)
        rename(code, self.path_of(name))
        return code

    def get_source(self, name):
        # The one that the archive itself has, found from the directory the module lies in.
        folder = self.payload.files[name][0].rpartition("/")[0]
        if self.is_package(name):
            folder = folder.rpartition("/")[0]
        return zipimport.zipimporter(self.archive + "/" + folder if folder else self.archive).get_source(name)

    def get_data(self, path):
        return zipimport.zipimporter(self.archive).get_data(path)

    # In the parent.

    def compile(self, payload):
        """Compiles what was not seen before; what Python would warn about is left to the child."""
        for name, file in payload.files.items():
            if file in self.code or self.compiled > COMPILED:
                continue
            source = payload.archive.read(file[0])
            try:
                with warnings.catch_warnings(record=True) as warned:
                    code = compile(source, NOWHERE + "/" + file[0], "exec", dont_inherit=True)
            except (SyntaxError, ValueError):
                continue
            if not warned:
                self.code[file] = code
                self.compiled += len(source)

    def import_common(self, payload):
        """Imports what all modules import; where that fails or has something to say, each child does it for itself."""
        self.payload = payload
        sys.meta_path.insert(0, self)
        try:
            with warnings.catch_warnings(record=True) as warned:
                for name in COMMON:
                    if name in payload.files:
                        importlib.import_module(name)
        except Exception:
            warned = True
        sys.meta_path.remove(self)
        for name in [name for name in sys.modules if name.partition(".")[0] == "ansible"]:
            self.imported[name] = payload.files.get(name)
        if warned:
            self.forget()

    def fits(self, payload):
        return all(payload.files.get(name) == file for name, file in self.imported.items())

    # In a child, and where the import failed.

    def forget(self):
        for name in self.imported:
            sys.modules.pop(name, None)
        self.imported = {}

    def enter(self, payload):
        """Everything is as in a new Python until the module puts its archive into `sys.path`."""
        self.payload = payload
        self.is_child = True
        if not self.fits(payload):
            self.forget()
        sys.meta_path.insert(0, self)

    def move(self):
        """Gives the imported modules the place that they would have been imported from."""
        archive = next((entry for entry in sys.path if entry.endswith("_payload.zip")), None)
        if archive is None:
            return
        self.archive = archive
        for name in self.imported:
            module = sys.modules.get(name)
            spec = getattr(module, "__spec__", None)
            if getattr(spec, "loader", None) is not self:
                continue
            module.__file__ = spec.origin = self.path_of(name)
            rename(self.known(name), spec.origin)
            for paths in (getattr(module, "__path__", None), spec.submodule_search_locations):
                if isinstance(paths, list):
                    paths[:] = [archive + path[len(NOWHERE):] if path.startswith(NOWHERE) else path for path in paths]
        for name in ("ansible", "ansible.module_utils"):
            # These look for more of their kind in `sys.path`.
            if name in self.imported:
                exec(self.known(name), sys.modules[name].__dict__)


def rename(code, path):
    """Tracebacks name the file that a new Python would have read."""
    try:
        importlib._bootstrap_external._imp._fix_co_filename(code, path)
    except AttributeError:
        pass


class Payload:
    """The archive with the files of one module. Without `files` its children run as a new Python would."""

    def __init__(self, text):
        self.text = text
        self.files = {}
        self.archive = zipfile.ZipFile(io.BytesIO(base64.b64decode(text)))
        for info in self.archive.infolist():
            if info.filename.endswith(".py"):
                name = info.filename[:-3].replace("/", ".")
                if name.endswith(".__init__"):
                    name = name[:-9]
                self.files[name] = (info.filename, info.CRC, info.file_size)


class Module:
    """A module that runs."""

    def __init__(self, number, pid, out, err):
        self.number = number
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
        self.received = bytearray()
        self.prepared = False

    def serve(self):
        """Returns in children alone, with the code to run."""
        self.send(READY)
        while True:
            code = self.handle_frames()
            if code is not None:
                return code
            ended = self.collect()
            sources = [self.channel_in] + [fd for module in self.running for fd in module.open]
            patience = IDLE if not self.running else 0.001 if ended else None
            readable = select.select(sources, [], [], patience)[0]
            if not readable and not self.running:
                os._exit(0)
            if self.channel_in in readable:
                data = os.read(self.channel_in, CHUNK)
                if not data:
                    self.end()
                self.received += data
            for module in self.running:
                for fd in [fd for fd in module.open if fd in readable]:
                    self.relay(module, fd)

    def handle_frames(self):
        while len(self.received) >= HEADER.size:
            kind, number, length = HEADER.unpack_from(self.received)
            if len(self.received) < HEADER.size + length:
                break
            body = bytes(self.received[HEADER.size:HEADER.size + length])
            del self.received[:HEADER.size + length]
            if kind == STORE:
                try:
                    self.store(number, body)
                except Exception:
                    self.payloads[number] = None
            elif kind == DROP:
                self.payloads.pop(number, None)
            elif kind == RUN:
                code = self.run(number, body)
                if code is not None:
                    return code
        return None

    def store(self, number, text):
        payload = Payload(text)
        self.files.compile(payload)
        if not self.prepared:
            self.prepared = True
            self.files.import_common(payload)
            gc.collect()
            if hasattr(gc, "freeze"):
                gc.freeze()  # children need not copy what they only look at
        payload.archive = None
        self.payloads[number] = payload

    def run(self, number, body):
        archive, split = SPLIT.unpack_from(body)
        payload = self.payloads.get(archive)
        if read_at_login() != self.login:
            return self.send(frame(NOT_STARTED, number, b"changed"))
        pipes = []
        try:
            pipes += os.pipe()
            pipes += os.pipe()
            pid = os.fork() if payload else None
        except (OSError, MemoryError):
            pid = None
        if pid is None:
            for fd in pipes:
                os.close(fd)
            return self.send(frame(NOT_STARTED, number, b"cannot"))
        body = body[SPLIT.size:]
        if pid == 0:
            return self.child(pipes, payload, body[:split], body[split:])
        os.close(pipes[1])
        os.close(pipes[3])
        self.running.append(Module(number, pid, pipes[0], pipes[2]))

    def child(self, pipes, payload, before, after):
        os.dup2(pipes[1], 1)
        os.dup2(pipes[3], 2)
        for fd in pipes + [self.channel_in, self.channel_out] + [fd for module in self.running for fd in module.open]:
            os.close(fd)
        self.files.enter(payload)
        PARENT.update(sys.modules)
        sys.path[:] = BEGINNING
        random.seed()
        return compile(before + payload.text + after, "<stdin>", "exec", dont_inherit=True)

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
            code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
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
        sys.excepthook(type(error), error, error.__traceback__.tb_next)
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
            status = status or 120
    os._exit(status)
