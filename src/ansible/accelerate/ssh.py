"""Takes the place of ansible-core's connection plugin `ssh` for one run, and is that plugin but for one thing: modules
go to a Python that stays on the server (`worker.py`). Where anything about this ansible-core is not as expected, it is
the plugin of ansible-core and nothing else. Where the user has a plugin of that name, it is that one.
"""
from __future__ import annotations

import glob
import importlib.machinery
import importlib.util
import os
import sys

import ansible.plugins.connection
from ansible import constants


def users_own():
    """The file that Ansible would take for `ssh` if this one were not there; `None` where it would take its own."""
    for directory in constants.DEFAULT_CONNECTION_PLUGIN_PATH:
        # As Ansible does it: what lies below comes first.
        for below in ("*/ssh.py", "*/*/ssh.py", "ssh.py"):
            for path in glob.glob(os.path.join(os.path.abspath(os.path.expanduser(directory)), below)):
                if not os.path.samefile(path, __file__):
                    return path
    return None


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def take_the_place_of(plain):
    # Whoever imports something from ansible-core's plugin finds it here.
    globals().update({name: value for name, value in vars(plain).items() if not name.startswith("__")})
    globals()["DOCUMENTATION"] = plain.DOCUMENTATION
    try:
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        for part in ("frames", "remote_command", "worker"):
            load("accelerate_" + part, os.path.join(here, part + ".py"))
        globals()["Connection"] = sys.modules["accelerate_worker"].accelerated(plain, here)
    except Exception as error:
        plain.display.vvv("ssh is not accelerated: %s" % error)


another = users_own()
if another:
    __file__ = another
    with open(another, "rb") as file:
        exec(compile(file.read(), another, "exec"))
else:
    # This file is known under the name of ansible-core's own, which is therefore loaded under another one.
    own = importlib.machinery.PathFinder.find_spec("ssh", ansible.plugins.connection.__path__)
    take_the_place_of(load("ansible.plugins.connection.plain_ssh", own.origin))
