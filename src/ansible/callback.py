"""Reports what Ansible says, one line per event, for plugin-gitops-status to judge.

It never decides anything: a rule in here would need a Python to test it and could differ from the one in
src/verdict.rs. It is written to a private directory for one run; the run's nonce is this file's own name, and
the lines go to the file `events` beside it, opened once. A line is

    CRC32 [SEQUENCE, {"KIND": {...}}]

where the checksum covers the nonce and the JSON, so a line that was damaged, or that something else wrote, is
told from ours. Anything that goes wrong in here becomes an `error` event or a gap in the sequence: both forbid
SYNCED. A field that holds its ordinary value is left out.
"""
from __future__ import annotations

DOCUMENTATION = """
    name: drift_events
    type: aggregate
    short_description: reports events to plugin-gitops-status
    description: Writes one line per event to a private file. Loaded by plugin-gitops-status alone.
"""

import json
import os
import re
import zlib

from ansible import context
from ansible.constants import LOCALHOST
from ansible.playbook.handler import Handler
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__
from ansible.template import Templar

NAME_LIMIT = 4096
REASON_LIMIT = 600
CHECK_MODE = "ansible_check_mode"
MARKERS = ("SYNC_STATUS", "DRIFTED_FILES")
# The arguments that can name a thing; no other argument leaves this process (they hold passwords).
NAMING = ("path", "dest", "destfile", "name", "pkg", "package", "unit", "service", "user", "src", "key", "repo")
DIFFERS_UNSEEN = ("dst_binary", "dst_larger", "src_binary", "src_larger")
# Up to 2.18 the task of a result is the untemplated one, and its fields come beside it.
TASKS_ARE_TEMPLATED = tuple(int(part) for part in __version__.split(".")[:2]) >= (2, 19)
COMMANDS = ("command", "shell", "raw", "script", "expect")
# Where inventory and plays tell ssh things, in the order of its command line; the environment overrules none of them.
SSH_ARGS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
CONTROL_PATHS = ("ansible_control_path", "ansible_control_path_dir")
# What variables, or a task beside its play, can say of how a host is reached.
REACHING = {*SSH_ARGS, *CONTROL_PATHS, "ansible_connection"}
# Connection plugins that speak ssh without ssh.
OWN_SSH = ("paramiko", "paramiko_ssh", "libssh", "network_cli", "netconf")
CONTROL_PATH = re.compile(r"""controlpath[\s=]+["']?([^\s"']+)""", re.IGNORECASE)


def text(value, limit=NAME_LIMIT):
    """A plain str that UTF-8 can hold: bytes of a name that is not UTF-8 are shown as \\xNN."""
    value = str(value)
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        try:
            value = value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        except UnicodeEncodeError:
            value = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value if len(value) <= limit else value[:limit] + "…"


def reported(hook):
    """The run goes on whatever happens in here; the reader is told that it did."""
    def wrapper(self, *args, **kwargs):
        if os.getpid() != self.pid:
            return
        try:
            hook(self, *args, **kwargs)
        except Exception as error:
            self.emit("error", {"hook": hook.__name__, "msg": text("%s: %s" % (type(error).__name__, error), REASON_LIMIT)})
    return wrapper


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "drift_events"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self):
        super().__init__()
        self.pid = os.getpid()  # forked workers inherit this object
        here, name = os.path.split(os.path.abspath(__file__))
        self.seed = zlib.crc32(os.path.splitext(name)[0].encode("ascii"))
        self.sequence = 0
        self.tasks = {}
        self.plays = set()
        self.play = None
        self.reached = set()  # hosts that answered in this play or were delegated to, with tasks of `reaching`
        self.reaching = {}  # by its number: the words of a task that says by itself how a host is reached
        self.file = os.open(os.path.join(here, "events"), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self.emit("open", {"ansible": text(__version__)})

    def emit(self, kind, fields):
        line = json.dumps([self.sequence, {kind: fields}], separators=(",", ":"), ensure_ascii=False).encode("utf-8")
        self.sequence += 1  # also when the line is lost: the gap must show
        line = b"%08x %s\n" % (zlib.crc32(line, self.seed), line)
        try:
            while line:
                line = line[os.write(self.file, line):]
        except OSError:  # a full disk: the gap or the cut tells
            pass

    @reported
    def v2_playbook_on_start(self, playbook):
        args = context.CLIARGS
        words = lambda name: [text(word) for word in args.get(name) or ()]
        self.emit("playbook", {
            "file": text(getattr(playbook, "_file_name", "")),
            "check": bool(args.get("check")),
            "limit": text(args["subset"]) if args.get("subset") else None,
            "tags": words("tags"),
            "skip_tags": words("skip_tags"),
            "start_at_task": text(args["start_at_task"]) if args.get("start_at_task") else None,
            "step": bool(args.get("step")),
        })

    @reported
    def v2_playbook_on_play_start(self, play):
        inventory = play.get_variable_manager()._inventory
        batch = inventory.get_hosts(play.hosts)
        fields = {
            "name": text(play.get_name()),
            "check": bool(play.check_mode),
            "hosts": [text(host.name) for host in batch],
        }
        if play.max_fail_percentage is not None:
            fields["max_fail"] = True
        implicit = [text(host.name) for host in batch if host.implicit]
        if implicit:
            fields["implicit"] = implicit
        if play._uuid not in self.plays:  # this hook comes once for each batch of `serial`
            self.plays.add(play._uuid)
            fields["named"] = [text(host.name) for host in inventory.get_hosts(play.hosts, ignore_restrictions=True)]
        self.emit("play", fields)
        self.play, self.reached = play, set()

    def reach(self, host, task):
        """Tells of variables by which ssh shares a connection, or does not hear what this run tells it.

        Asked with each result and answered once for a host, as long as nothing changes: to combine its variables takes
        Ansible most of a millisecond. A task with words of its own is asked for itself.
        """
        number = self.number(task)
        words = self.reaching.get(number)
        key = (host.name, number if words else None)
        if key in self.reached:
            return
        self.reached.add(key)
        values = self.play.get_variable_manager().get_vars(play=self.play, host=host)
        if words:
            defaults, own = words
            values = {**defaults, **values, **own}
        read = lambda name: templated_text(values.get(name), values, self.play._loader)
        kind = read("ansible_connection") or str(task.connection)
        plugin = kind.rpartition(".")[2]
        if plugin in OWN_SSH:
            self.emit("reach", {"host": text(host.name), "unchecked": text(kind)})
        if "{{" not in kind and plugin not in ("ssh", "smart"):
            return
        fields = {}
        if read("ansible_ssh_args"):
            fields["unchecked"] = "ansible_ssh_args"
        # Of an option that is given twice ssh takes the first, and what the environment says of it comes first.
        if fields or "controlpath" not in os.environ.get("ANSIBLE_SSH_ARGS", "").lower():
            named = [(name, found.group(1)) for name in SSH_ARGS for found in [CONTROL_PATH.search(read(name))] if found]
            named = named or [(name, read(name)) for name in CONTROL_PATHS if read(name)]
            if named and named[0][1].lower() != "none":
                fields["control_path"] = named[0][0]
        if fields:
            self.emit("reach", {"host": text(host.name), **fields})

    @reported
    def v2_playbook_on_no_hosts_matched(self):
        self.emit("no_hosts", {})

    @reported
    def v2_playbook_on_no_hosts_remaining(self):
        self.emit("no_hosts_left", {})

    @reported
    def v2_playbook_on_task_start(self, task, is_conditional):
        self.started(task)

    @reported
    def v2_playbook_on_handler_task_start(self, task):
        self.started(task)

    def started(self, task):
        number = self.number(task)
        fields = {"task": number}
        if task.action in ("meta", "ansible.builtin.meta", "ansible.legacy.meta"):
            # Each time a `meta` runs it says so here, and a skip follows at once where its `when` was false.
            fields["meta"] = text(task.args.get("_raw_params") or "")
            if fields["meta"] == "refresh_inventory":
                self.reached.clear()
        self.emit("start", fields)

    def number(self, task):
        number = self.tasks.get(task._uuid)
        if number is None:
            number = self.tasks[task._uuid] = len(self.tasks)
            words = words_of(task)
            if task.connection != self.play.connection or any(not REACHING.isdisjoint(part) for part in words):
                self.reaching[number] = words
            self.emit("task", self.described(task, number))
        return number

    def described(self, task, number):
        fields = {"task": number, "name": text(task.get_name()), "action": text(task.resolved_action or task.action)}
        place = task.get_path()
        if place:
            fields["place"] = text(place.removeprefix(os.getcwd() + os.sep))
        conditions = task.when if isinstance(task.when, (list, tuple)) else [task.when]
        loop = task.loop if isinstance(task.loop, str) else ""
        with_ = task.loop_with or ""
        for flag, holds in (
            ("handler", isinstance(task, Handler)),
            ("run_once", bool(task.run_once)),
            ("fatal", bool(task.any_errors_fatal)),
            ("changed_when", is_set(task.changed_when)),
            ("never_changed", is_set(task.changed_when) and never(task.changed_when)),
            ("failed_when", is_set(task.failed_when)),
            ("when", bool(conditions) and conditions != [None]),
            ("when_check_mode", any(CHECK_MODE in str(condition) for condition in conditions)),
            ("no_diff", task.diff is False),
            ("glob", any(word in loop or word in with_ for word in ("fileglob", "filetree"))),
            ("default_force_false", self.forced_off(task)),
        ):
            if holds:
                fields[flag] = True
        return fields

    def forced_off(self, task):
        """`module_defaults` are merged in the worker, where no callback sees them."""
        defaults = task.module_defaults
        for group in defaults if isinstance(defaults, (list, tuple)) else [defaults]:
            for values in (group or {}).values():
                if isinstance(values, dict) and "force" in values and not is_true(values["force"]):
                    return True
        return False

    @reported
    def v2_runner_on_ok(self, result):
        self.answered(result, "ok")

    @reported
    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.answered(result, "failed", ignored=ignore_errors)

    @reported
    def v2_runner_on_skipped(self, result):
        self.answered(result, "skipped")

    @reported
    def v2_runner_on_unreachable(self, result):
        self.answered(result, "unreachable")

    @reported
    def v2_runner_item_on_ok(self, result):
        self.answered(result, "ok", item=True)

    @reported
    def v2_runner_item_on_failed(self, result):
        self.answered(result, "failed", item=True)

    @reported
    def v2_runner_item_on_skipped(self, result):
        self.answered(result, "skipped", item=True)

    def answered(self, result, status, item=False, ignored=False):
        task, answer = result._task, result._result
        templated = lambda name: getattr(task, name) if TASKS_ARE_TEMPLATED else result._task_fields.get(name)
        fields = {"task": self.number(task), "host": text(result._host.name), "status": status}
        if item:
            fields["item"] = True
        elif task.loop or task.loop_with:
            fields["summary"] = True
            if "results" in answer:
                fields["items"] = len(answer["results"])
        if ignored:
            fields["ignored"] = True
        if answer.get("changed"):
            fields["changed"] = True
        if "censored" in answer:
            fields["censored"] = True
        delegated = None
        if task.delegate_to:
            on = text(templated("delegate_to") or "")
            if on and on != fields["host"]:
                fields["on"] = on
                if on in LOCALHOST:
                    fields["on_localhost"] = True
                delegated = self.play.get_variable_manager()._inventory.get_host(on)
        if status != "skipped":
            self.reach(delegated or result._host, task)
        if not templated("check_mode"):
            fields["real"] = True
        if status == "ok":
            said = self.proven(task, answer, templated("args") or {})
        else:
            said = self.excused(answer)
        if said:
            fields["answer"] = said
        self.emit("result", fields)
        if changes_reach(answer):  # of a loop each item has said so before
            self.reached.clear()

    def proven(self, task, answer, args):
        fields = {}
        action = (task.resolved_action or task.action).rpartition(".")[2]
        if action == "debug" and "censored" not in answer:
            lines = marker_lines(answer.get("msg", answer.get(str(args.get("var")))))
            if lines:
                fields["says"] = lines
        if action in COMMANDS and answer.get("delta"):
            fields["ran"] = True
        if "force" in args and is_false(args["force"]):
            fields["force_false"] = True
        if action == "get_url" and not is_true(args.get("force", False)) and not args.get("checksum"):
            fields["force_false"] = True
        if answer.get("ansible_job_id"):
            fields["job"] = text(answer["ansible_job_id"])
            if not answer.get("finished"):
                fields["unfinished"] = True
        if "failed_when_result" in answer:
            fields["failed_when"] = True
            fields.update(self.excused(answer))
        if "censored" not in answer and (answer.get("changed") or is_set(task.changed_when)):
            fields.update(self.named(answer, args))
        return fields

    def named(self, answer, args):
        fields = {}
        diffs = answer.get("diff") or []
        diffs = [described_diff(diff) for diff in (diffs if isinstance(diffs, list) else [diffs]) if isinstance(diff, dict)]
        if diffs:
            fields["diff"] = diffs
        for key in ("dest", "path"):
            if isinstance(answer.get(key), str):
                fields[key] = text(answer[key])
        naming = {}
        for key in NAMING:
            value = args.get(key)
            if isinstance(value, (list, tuple)):
                value = ",".join(str(part) for part in value)
            if value is not None and isinstance(value, (str, int, float)) and str(value):
                naming[key] = text(value)
        if naming:
            fields["args"] = naming
        return fields

    def excused(self, answer):
        fields = {}
        for key, name in (("skip_reason", "why"), ("skipped_reason", "why"), ("false_condition", "condition"), ("msg", "msg")):
            value = answer.get(key)
            if value is not None and value != "" and name not in fields:
                fields[name] = text(value, REASON_LIMIT)
        crash = answer.get("module_stderr")
        if isinstance(crash, str) and crash.strip():
            # The message only says that there is more to read, and its last line is what went wrong.
            fields["msg"] = text(crash.strip().splitlines()[-1], REASON_LIMIT)
        if isinstance(answer.get("rc"), int):
            fields["rc"] = int(answer["rc"])
        if answer.get("exception"):
            fields["exception"] = True
        return fields

    @reported
    def v2_playbook_on_stats(self, stats):
        self.emit("stats", {"hosts": {
            text(host): {key: int(count) for key, count in stats.summarize(host).items()}
            for host in stats.processed
        }})


def words_of(task):
    """The variables that a task brings along: the defaults of its role; its own, its blocks' and its role's others."""
    if not task._role:
        return {}, task.get_vars()
    chain = task.get_dep_chain()
    return task._role.get_default_vars(chain), {**task._role.get_vars(chain), **task.get_vars()}


def changes_reach(answer):
    """Whether an answer may change how hosts are reached: by facts, by the groups of a host, or by what `no_log` hides."""
    facts = answer.get("ansible_facts")
    if isinstance(facts, dict) and not REACHING.isdisjoint(facts):
        return True
    return any(word in answer for word in ("add_group", "add_host", "censored"))


def templated_text(value, values, loader):
    """A variable's text; of a template that cannot be read yet, the template."""
    if value is None:
        return ""
    if "{{" in str(value) or "{%" in str(value):
        try:
            value = Templar(loader=loader, variables=values).template(value)
        except Exception:
            pass
    return str(value)


def described_diff(diff):
    """Where a diff is about and whether its sides differ; never their text."""
    before, after = diff.get("before"), diff.get("after")
    fields = {}
    if isinstance(diff.get("before_header"), str) and diff["before_header"]:
        fields["header"] = text(diff["before_header"])
    if isinstance(before, dict) and isinstance(after, dict):
        if isinstance(before.get("path"), str):
            fields["path"] = text(before["path"])
        fields["keys"] = sorted({text(key) for key in list(before) + list(after) if before.get(key) != after.get(key)})
    elif before != after or diff.get("prepared") or any(diff.get(key) for key in DIFFERS_UNSEEN):
        fields["differs"] = True
    return fields


def marker_lines(value):
    """The lines of a `debug` that name a marker, as they stand."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    lines = [line.strip(" \t\r") for part in parts if isinstance(part, str) for line in part.split("\n")]
    return [text(line, 1 << 20) for line in lines if line.startswith(MARKERS)]


def is_set(condition):
    return condition is not None and condition != []  # 2.21 gives a bare False where 2.20 gave [False]


def never(condition):
    parts = condition if isinstance(condition, (list, tuple)) else [condition]
    return any(part is False or str(part).strip().lower() in ("false", "no") for part in parts)


def is_false(value):
    return str(value).strip().lower() in ("false", "no", "off", "0", "n", "f")


def is_true(value):
    return str(value).strip().lower() in ("true", "yes", "on", "1", "y", "t")
