"""A task as the playbook says it: its keywords, and the blocks and includes that it stands in."""
from __future__ import annotations

from ansible.playbook.block import Block
from ansible.playbook.task_include import TaskInclude

# What decides whether a task runs and what it compares. The rest only says how it is shown, timed or notified.
OTHER_KEYWORDS = (
    "action", "async_val", "become", "become_exe", "become_flags", "become_method", "become_user", "check_mode",
    "connection", "delegate_facts", "delegate_to", "diff", "environment", "failed_when", "ignore_errors",
    "ignore_unreachable", "no_log", "poll", "port", "remote_user", "retries", "run_once", "until",
)
# Names stand in these without delimiters.
CONDITIONS = ("when", "changed_when", "failed_when", "until", "break_when", "register")
CONDITION_ARGS = ("that", "var")
# How a host is reached: no keyword mentions it, and every task depends on it.
CONNECTION = frozenset((
    "ansible_become", "ansible_become_user", "ansible_connection", "ansible_host", "ansible_port", "ansible_ssh_host",
    "ansible_ssh_port", "ansible_ssh_user", "ansible_user",
))


class Written:
    """A task as it is written, its blocks and includes with it."""
    def __init__(self, task, names):
        self.task, self.names = task, names
        # The name of its module in the table, and the last part of it.
        self.known_as = str(task.resolved_action or task.action).removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
        self.action = self.known_as.rpartition(".")[2]
        self.is_template = "{{" in self.known_as or "{%" in self.known_as
        self.loaded = False
        self._words = self._places = None

    def keywords(self):
        """Those that have a value, with it."""
        task, args = self.task, dict(self.task.args)
        yield "when", conditions(task.when)
        if str(task.loop_with).rpartition(".")[2] == "inventory_hostnames":
            yield "loop", [task.loop, "{{ groups }}"]
        elif task.loop is not None:
            yield "loop", task.loop
        if isinstance(task, TaskInclude):
            args.pop("apply", None)  # it stands on the tasks that are included, and so do the variables
        elif task.vars:
            yield "vars", task.vars
        yield "args", args
        yield "changed_when", conditions(task.changed_when)
        for keyword in OTHER_KEYWORDS:
            value = run_once(task) if keyword == "run_once" else getattr(task, keyword, None)
            if value and value is not True:
                yield keyword, conditions(value) if keyword in CONDITIONS else value
        if isinstance(task.register, dict):
            yield "register", list(task.register.values())
        if getattr(task.loop_control, "break_when", None):
            yield "break_when", conditions(task.loop_control.break_when)
        for defaults in task.module_defaults if isinstance(task.module_defaults, (list, tuple)) else [task.module_defaults]:
            for module, values in (defaults or {}).items():
                if str(module).startswith("group/") or str(module).rpartition(".")[2] == self.action:
                    yield "module_defaults", values

    def words(self):
        """Everything in its keywords that could be a name."""
        if self._words is None:
            found = [CONNECTION]
            for keyword, value in self.keywords():
                if keyword == "args":
                    found += [self.names.words(part, name in CONDITION_ARGS) for name, part in value.items()]
                else:
                    found.append(self.names.words(value, keyword in CONDITIONS or keyword == "loop"))
            self._words = frozenset().union(*found)
        return self._words

    def includes(self):
        """The dynamic includes that brought it in, by uuid."""
        return self.places()[0]

    def in_rescue(self):
        return self.places()[1]

    def places(self):
        if self._places is None:
            includes, in_rescue, child = [], False, self.task
            while getattr(child, "_parent", None) is not None:
                parent = child._parent
                if isinstance(parent, TaskInclude):
                    if not parent.statically_loaded:
                        includes.append(parent._uuid)
                elif isinstance(parent, Block):
                    in_rescue = in_rescue or any(part._uuid == child._uuid for part in parent.rescue or ())
                child = parent
            self._places = includes, in_rescue
        return self._places

    def registers(self):
        """The names it registers: from 2.21 on each with an expression of its own."""
        register = self.task.register
        return [str(name) for name in (register if isinstance(register, dict) else [register] if register else [])]

    def loop_variables(self):
        if self.task.loop is None:
            return []
        names = [getattr(self.task.loop_control, name, None) for name in ("loop_var", "index_var")]
        return [str(name) for name in [*names, "ansible_loop"] if name]


def run_once(task):
    """As it is written: from 2.21 on Ansible puts the value in the place of a template before the task begins."""
    data = task.get_ds()
    if isinstance(data, dict) and "run_once" in data:
        return data["run_once"]
    return getattr(getattr(task, "_parent", None) or task, "run_once", None)


def is_rescued(task):
    """Whether a task stands in a block whose `rescue` acts where it fails."""
    child = task
    while getattr(child, "_parent", None) is not None:
        parent = child._parent
        if isinstance(parent, Block) and parent.rescue and any(part._uuid == child._uuid for part in parent.block):
            return True
        child = parent
    return False


def conditions(value):
    parts = value if isinstance(value, (list, tuple)) else [value]
    return [str(part) for part in parts if part is not None]
