"""Takes the place of ansible-core's connection plugin `ssh` for one run, and is that plugin but for one thing: modules
go to a Python that stays on the server (`worker.py`). Where anything about this ansible-core is not as expected, it is
the plugin of ansible-core and nothing else.
"""
from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys

import ansible.plugins.connection


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# This file is known under the name of ansible-core's own, which is therefore loaded under another one.
found = importlib.machinery.PathFinder.find_spec("ssh", ansible.plugins.connection.__path__)
plain = load("ansible.plugins.connection.plain_ssh", found.origin)
# Whoever imports something from ansible-core's plugin finds it here.
globals().update({name: value for name, value in vars(plain).items() if not name.startswith("__")})
DOCUMENTATION = plain.DOCUMENTATION

try:
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for part in ("frames", "remote_command", "worker"):
        load("accelerate_" + part, os.path.join(here, part + ".py"))
    Connection = sys.modules["accelerate_worker"].accelerated(plain, here)
except Exception as error:
    plain.display.vvv("ssh is not accelerated: %s" % error)
