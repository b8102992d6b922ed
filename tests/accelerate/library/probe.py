#!/usr/bin/python
"""Says what a module finds itself in, or does what no module should do."""
import atexit
import gc
import locale
import logging
import os
import platform
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings

from ansible.module_utils.basic import AnsibleModule

LEFT = []
try:
    import no_module_of_this_name
except ImportError:
    WITHOUT_IT = traceback.format_exc()


class Removes:
    """Removes a file when it is taken apart."""

    def __init__(self, path):
        self.path = path

    def __del__(self):
        os.unlink(self.path)


def surroundings():
    mask = os.umask(0)
    os.umask(mask)
    own = lambda name: not name.startswith(("SSH_", "XDG_SESSION")) and name not in ("_", "SUDO_COMMAND")
    with open("/proc/self/status") as status:
        state = [line.split() for line in status if line.startswith(("SigBlk", "SigIgn", "SigCgt", "NoNewPrivs"))]
    with open("/proc/self/cmdline") as cmdline, open("/proc/self/comm") as comm:
        names = [cmdline.read(), comm.read()]
    return {
        "directory": os.getcwd(),
        "umask": mask,
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if "RLIMIT_" in name},
        "ids": [os.getresuid(), os.getresgid(), sorted(os.getgroups())],
        "names": names,
        "arguments": [sys.argv[1:], getattr(sys, "orig_argv", None)],
        "environment": {name: value for name, value in os.environ.items() if own(name)},
        "input": [sys.stdin.read(), len(os.read(0, 1))],
        "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1],
        "signals": state,
        "flags": str(sys.flags),
        "path": sys.path[1:],
        "encodings": [sys.stdout.encoding, sys.stdout.errors, sys.getfilesystemencoding(), sys.stdout.line_buffering],
        "priority": os.nice(0),
        "leads": [os.getsid(0) == os.getpid(), os.getpgrp() == os.getpid()],
        "time": [time.tzname, time.strftime("%Z")],
        "main": sorted(name for name in vars(sys.modules["__main__"]) if not name.startswith("__")),
        "basic": ["_payload.zip/ansible/module_utils/basic.py" in path for path in (
            sys.modules["ansible.module_utils.basic"].__file__, AnsibleModule.exit_json.__code__.co_filename)],
        "traceback": WITHOUT_IT,
        "python": [
            tempfile.tempdir, getattr(platform, "_uname_cache", None), locale.setlocale(locale.LC_ALL), str(warnings.filters),
            logging.root.handlers, socket.getdefaulttimeout(), threading.active_count(), gc.isenabled(), gc.get_threshold(),
            sys.getrecursionlimit(), sys.getswitchinterval(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime],
        "left": LEFT + [hasattr(sys.modules["ansible.module_utils.basic"], "left")],
        "of_children": subprocess.check_output(["sh", "-c", "umask; pwd; ulimit -n"]).decode(),
    }


def sshd():
    """The process of sshd that this module was started by, at whatever distance."""
    pid = os.getpid()
    while True:
        with open("/proc/%d/stat" % pid) as stat:
            name, fields = stat.read().split("(", 1)[1].rsplit(")", 1)
        if name.startswith("sshd"):
            return pid
        pid = int(fields.split()[1])


def detached(work):
    """Does something in a process of its own, as a daemon would."""
    if os.fork() == 0:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(nowhere, fd)
        work()
        os._exit(0)


def append(path, text):
    with open(path, "a") as file:
        file.write(text)


def main():
    module = AnsibleModule(dict(do=dict(), path=dict(default=""), number=dict(type="int", default=0), secret=dict(no_log=True)),
                           supports_check_mode=True)
    do, path, number = (module.params[name] for name in ("do", "path", "number"))
    answer = {}
    if do == "look":
        answer = surroundings()
    elif do == "parent":
        answer["parent"] = os.getppid()
        answer["random"] = random.random()
    elif do == "leave behind":
        os.chdir("/")
        os.umask(0)
        os.environ["LEFT"] = "behind"
        LEFT.append("behind")
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        sys.modules["ansible.module_utils.basic"].left = True
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.nice(1)
    elif do == "crash":
        raise RuntimeError("the module's own fault")
    elif do == "signal":
        os.kill(os.getpid(), number)
    elif do == "signal the group":
        os.killpg(0, number)
        time.sleep(10)
    elif do == "exit":
        sys.stderr.write("leaving\n")
        sys.exit(number)
    elif do == "exit with a text":
        sys.exit("a text")
    elif do == "print":
        sys.stdout.write("y" * number + "\n")
        sys.stderr.write("z" * number + "\n")
    elif do == "answer":
        answer["text"] = "x" * number
    elif do == "bytes":
        os.write(1, b"\xff\xfe\x00\n")
    elif do == "close output":
        os.close(1)
        os.close(2)
        time.sleep(1)
        os._exit(number)
    elif do == "daemon":
        detached(lambda: (time.sleep(1), append(path, "the daemon lived\n")))
    elif do == "daemon with the output":
        if os.fork() == 0:
            time.sleep(1)
            append(path, "it was waited for\n")
            os._exit(0)
    elif do == "exit handler":
        atexit.register(append, path, "exit handler\n")
    elif do == "thread":
        threading.Thread(target=lambda: (time.sleep(0.5), append(path, "thread\n"))).start()
    elif do == "take apart":
        append(path, "")
        globals()["removes"] = Removes(path)
    elif do == "session":
        try:
            os.setsid()
            answer["session"] = True
        except OSError:
            answer["session"] = False
    elif do == "hang":
        append(path, "hanging\n")
        time.sleep(number)
    elif do == "kill the parent":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(1)
    elif do == "cut":
        os.kill(sshd(), signal.SIGKILL)
        time.sleep(10)
    elif do == "cut afterwards":
        connection = sshd()
        detached(lambda: (time.sleep(0.5), os.kill(connection, signal.SIGKILL), append(path, "cut\n")))
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
