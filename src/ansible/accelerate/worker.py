"""The connection plugin: what a worker of Ansible does to run a module by a Python that stays on the server, and the
commands around it, by which action plugins make and remove a directory for their files.

Only the last step of ansible-core's `ssh` is replaced, the one that starts the ssh process and talks to it. All that
comes before it (options, the command line, become) and after it (retries, what an exit code means, logging) is
ansible-core's own, and whatever is not of a known kind goes through ansible-core's step as well. So does a module or
a command for which no channel can be had. Once it may have been started it is never sent again: an answer that does
not come is a broken connection.
"""
from __future__ import annotations

import array
import fcntl
import hashlib
import inspect
import json
import os
import re
import secrets
import select
import socket
import subprocess
import sys
import time

import accelerate_frames as frames
from accelerate_frames import ARCHIVE, ASK, ERR, EXIT, GO, MODULE, NEED, NOT_STARTED, OPEN, OPENED, OUT, RESET, SCRIPT
from accelerate_frames import UNFIT
from accelerate_remote_command import RemoteCommand, Unknown, in_shell

# A module as ansible-core sends it: a wrapper, with the module's files as an archive in it.
WRAPPED = re.compile(rb"""^\s*(?:zip_data=|ZIPDATA = )('|\"\"\")(UEsDB[A-Za-z0-9+/=]+)\1""", re.MULTILINE)
NO_PATH = re.compile(rb"""[= "']none["']?$""")
WRAPPER = (b"_ansiballz_main(", b"sys.path.insert(0, modlib_path)", b"_payload.zip'")
PATIENCE = 30  # seconds for the Python to answer once ssh and become are through; no module has been sent by then
ATTEMPTS = 3


class Plain(Exception):
    """The module goes ansible-core's own way; nothing of it has been started."""


class Opened(BaseException):
    """Leaves ansible-core's step when the Python on the server has answered; no `except Exception` may stop it."""

    def __init__(self, fds, greeting):
        super().__init__()
        self.fds = fds
        self.greeting = greeting


class Link:
    """A worker's connection to the holder of the channels."""

    def __init__(self, folder, start=True):
        self.folder = folder
        self.path = os.path.join(folder, "socket")
        self.buffer = bytearray()
        self.socket = socket.socket(socket.AF_UNIX)
        try:
            self.socket.connect(self.path)
        except OSError:
            if not start:
                self.socket.close()
                raise
            with open(os.path.join(folder, "lock"), "w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                try:
                    self.socket.connect(self.path)
                except OSError:
                    self.start()
                    self.socket.connect(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def start(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self.path)
            listening.listen(1000)
            fd = listening.fileno()
            command = [sys.executable, "-S", "-E", os.path.join(self.folder, "channels.py"), str(fd), str(os.getppid())]
            # It needs nothing of Ansible's environment but what shows that it belongs to this run.
            kept = ("ANSIBLE_CALLBACK_PLUGINS", "ANSIBLE_CONNECTION_PLUGINS", "LD_LIBRARY_PATH", "PATH")
            subprocess.Popen(
                command, env={name: os.environ[name] for name in kept if name in os.environ}, pass_fds=[fd],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def send(self, kind, body=b"", fds=()):
        frame = frames.WORKER.pack(kind, len(body)) + body
        if fds:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
            frame = frame[self.socket.sendmsg([frame], rights):]
        self.socket.sendall(frame)

    def next(self):
        while (frame := frames.taken(self.buffer, frames.WORKER)) is None:
            data = self.socket.recv(frames.CHUNK)
            if not data:
                raise EOFError("the process that holds the connections has ended")
            self.buffer += data
        return frame


class Module:
    """A module on its way: what it is called with and what it is."""

    def __init__(self, command, payload, success):
        interpreter = payload.partition(b"\n")[0]
        wrapped = WRAPPED.search(payload)
        if not interpreter.startswith(b"#!") or not wrapped or not all(part in payload for part in WRAPPER):
            raise Unknown("this is not a module in a wrapper that is known")
        self.remote = RemoteCommand(command, interpreter[2:].strip().decode(), success)
        self.shell = self.remote.shell
        self.before, self.archive, self.after = payload[:wrapped.start(2)], wrapped[2], payload[wrapped.end(2):]
        self.digest = hashlib.sha256(self.archive).digest()

    def send(self, link):
        text = self.before + self.after
        link.send(MODULE, frames.DESCRIBED.pack(self.digest, len(self.before)) + text)


class Command:
    """A command of Ansible's own for the user who logs in, such as one that makes a directory."""

    archive = remote = None

    def __init__(self, command):
        self.shell, self.script = in_shell(command)

    def send(self, link):
        link.send(SCRIPT, self.script.encode())


class Opening:
    """The channel that is being opened: what is sent there first, and how it answers."""

    def __init__(self, loop, remote):
        self.hello = secrets.token_bytes(16)
        # The shells around the interpreter, for what they make of a module that a signal ends.
        before = ": ; " if remote.success else ""
        given = {"READY": self.hello, "SHELL": remote.shell, "BEFORE": before, "AFTER": remote.rest}
        self.source = b"".join(b"%s = %a\n" % (name.encode(), value) for name, value in given.items()) + loop
        self.too_late = False

    def greeting(self, process):
        """What came before the answer, such as the output of a login script; `None` where none comes."""
        output, said, end = process.stdout.fileno(), b"", time.monotonic() + PATIENCE
        poll = select.poll()
        poll.register(output, select.POLLIN)
        while self.hello not in said:
            left = end - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                self.too_late = True
                process.terminate()
                return None
            data = os.read(output, frames.CHUNK)
            if not data:
                return None
            said += data
        return said.partition(self.hello)[0]


def shares_connection(cmd):
    """Whether ssh would use one connection for all commands. Where each is to make its own, each finds out whether the
    server still takes one."""
    words = [word.lower() for word in cmd]
    paths = [word for word in words if b"controlpath" in word]
    return any(b"controlpersist" in word for word in words) and bool(paths) and not NO_PATH.search(paths[0])


def digest(values):
    return hashlib.sha256(repr(values).encode("utf-8", "surrogateescape")).hexdigest()


def accelerated(plain, folder):
    """The class that takes the place of `plain.Connection`.

    Raises an error where that is not what it was in every ansible-core that this was tried with."""
    loop = b""
    for part in ("imports.py", "loop.py"):
        with open(os.path.join(folder, part), "rb") as file:
            loop += file.read()
    step = list(inspect.signature(plain.Connection._send_initial_data).parameters)
    if step != ["self", "fh", "in_data", "ssh_process"] or not callable(plain.Connection._bare_run):
        raise RuntimeError("the plugin `ssh` of this ansible-core is put together in an unknown way")
    display, failure = plain.display, plain.AnsibleConnectionFailure

    class Connection(plain.Connection):
        transport = "ssh"
        _opening = None

        def _bare_run(self, cmd, in_data, sudoable=True, checkrc=True):
            try:
                # Whoever derives a plugin from this one has a command of their own, and a reason for it.
                if type(self) is not Connection:
                    raise Plain
                return self._run_there(cmd, in_data, sudoable, checkrc)
            except Plain as why:
                if str(why):
                    display.vvvv("SSH: a connection of its own: %s" % why, host=self.host)
            return super()._bare_run(cmd, in_data, sudoable=sudoable, checkrc=checkrc)

        def _known(self, cmd, in_data, sudoable, checkrc):
            """What is to be run, where that is of a known kind."""
            if getattr(self._shell, "SHELL_FAMILY", "") != "sh" or not checkrc:
                raise Unknown("only what is for a shell of the family `sh` is known")
            command = plain.to_bytes(cmd[-1]).decode()
            if isinstance(in_data, bytes) and in_data.startswith(b"#!") and sudoable:
                return Module(command, in_data, getattr(self.become, "success", "") or "")
            if not in_data and not sudoable and shares_connection([plain.to_bytes(word) for word in cmd[:-1]]):
                return Command(command)
            raise Plain

        def _run_there(self, cmd, in_data, sudoable, checkrc):
            try:
                wanted = self._known(cmd, in_data, sudoable, checkrc)
                asked = json.dumps(self._asked(cmd, wanted)).encode()
            except (Unknown, ValueError) as why:
                raise Plain(why) from None
            for _ in range(ATTEMPTS):
                answer = self._attempt(cmd, wanted, asked)
                if answer:
                    break
            else:
                raise Plain("the server is changing what a new login would read")
            code, output, errors = answer
            if code < 0:
                code = 255  # sshd is told of a signal, which ssh has one exit code for
            if code == 255 and in_data:
                raise failure('Data could not be sent to remote host "%s". Make sure this host can be reached over ssh: %s' % (
                    self.host, plain.to_native(errors)))
            return code, output, errors

        def _attempt(self, cmd, wanted, asked):
            """What the module or command answered; `None` where it was not started and a new channel may serve."""
            sent = False
            try:
                with Link(folder) as link:
                    link.send(ASK, asked)
                    kind, greeting = link.next()
                    if kind == OPEN:
                        self._open(link, cmd, wanted.remote or RemoteCommand(*json.loads(greeting), ""))
                        kind, greeting = link.next()
                    if kind != GO:
                        raise Plain("there is no channel for it")
                    sent = True
                    wanted.send(link)
                    output, errors = [greeting], []
                    while True:
                        kind, body = link.next()
                        if kind == NEED:
                            link.send(ARCHIVE, wanted.archive)
                        elif kind == OUT:
                            output.append(body)
                        elif kind == ERR:
                            errors.append(body)
                        elif kind == EXIT:
                            return frames.CODE.unpack(body)[0], b"".join(output), b"".join(errors)
                        elif kind == NOT_STARTED and body == b"cannot":
                            raise Plain("the server cannot start another process")
                        elif kind == NOT_STARTED:
                            return None
                        else:
                            return 255, b"", body
            except (OSError, EOFError) as error:
                if sent:
                    return 255, b"", str(error).encode()
                raise Plain(error) from error

        def _asked(self, cmd, wanted):
            """What a channel is known by: everything that a new connection would be made with."""
            login = [plain.to_bytes(word) for word in cmd[:-1]]
            if login[0] == b"sshpass":
                del login[1]  # names a descriptor, which is another one each time
            login += [self.get_option("password") or self._play_context.password, wanted.shell]
            asked = {"login": digest(login), "host": str(self.host), "command": wanted.remote is None}
            if wanted.remote is None:
                return asked
            command, passwords = wanted.remote.command, [None]
            if self.become:
                passwords = [self.become.get_option("become_pass", playcontext=self._play_context)]
                if self.become._id:
                    command = command.replace(self.become._id, "")
            needs_no_more = wanted.remote.plain()
            return {
                **asked,
                "key": digest([login, command, passwords]),
                "rare": wanted.remote.sets_environment,
                "plain": [digest([login, needs_no_more.command, [None]]), [needs_no_more.command, needs_no_more.interpreter]],
            }

        def _open(self, link, cmd, remote):
            self._opening = opening = Opening(loop, remote)
            try:
                command = plain.to_bytes(remote.with_source(len(opening.source)))
                super()._bare_run([*cmd[:-1], command], opening.source, sudoable=bool(remote.success))
                why = "no Python stays there"
            except Opened as opened:
                try:
                    link.send(OPENED, opened.greeting, opened.fds)
                finally:
                    for fd in opened.fds:
                        os.close(fd)
                return
            except Unknown as error:
                why = error
            except plain.AnsibleError as error:
                # A host that cannot be reached and a wrong password are the same in either way.
                same = isinstance(error, failure) or str(error).startswith("Incorrect ")
                if same and not opening.too_late:
                    raise
                why = error
            finally:
                self._opening = None
            link.send(UNFIT)
            if cmd[0] == b"sshpass":
                # It has been told the password through this descriptor, which is used up.
                self.sshpass_pipe = os.pipe()
                cmd[1] = b"-d%d" % self.sshpass_pipe[0]
            raise Plain(why)

        def _send_initial_data(self, fh, in_data, ssh_process):
            opening = self._opening
            if opening is None or in_data is not opening.source:
                return super()._send_initial_data(fh, in_data, ssh_process)
            greeting = None
            try:
                fh.write(in_data)
                fh.flush()
                greeting = opening.greeting(ssh_process)
            except OSError:
                pass  # it has ended, and ansible-core's step finds out how
            except BaseException:
                ssh_process.terminate()  # the task's time is up
                raise
            if greeting is None:
                try:
                    fh.close()
                except OSError:
                    pass
                return None
            ends = (ssh_process.stdin, ssh_process.stdout, ssh_process.stderr)
            raise Opened([os.dup(end.fileno()) for end in ends], greeting)

        def reset(self):
            try:
                with Link(folder, start=False) as link:
                    host = self.get_option("host") or self._play_context.remote_addr
                    link.send(RESET, json.dumps({"host": str(host)}).encode())
                    link.next()
            except (OSError, EOFError):
                pass  # there are no channels
            super().reset()

    return Connection
