"""Reports what Ansible says, one line per event, for plugin-gitops-status to judge.

What an event means is decided in Rust (src/evidence). This file says when something happens; what is reported of it
stands in `values`, beside it: values as Ansible has them, conditions and loops as the text that the playbook says.

It is written to a private directory for one run; the run's nonce is this file's own name, and the lines go to the
file `events` beside it, opened once. A line is

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

import importlib.machinery
import importlib.util
import json
import os
import sys
import zlib

from ansible import context
from ansible.inventory.manager import split_host_pattern
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__
from ansible.template import Templar

HERE, NAME = os.path.split(os.path.abspath(__file__))
# Up to 2.18 the task of a result is the untemplated one, and its fields come beside it.
TASKS_ARE_TEMPLATED = tuple(int(part) for part in __version__.split(".")[:2]) >= (2, 19)


def beside(name):
    """A module of our own; without a suffix, so that Ansible does not take it for another plugin."""
    qualified = "gitops_status_" + name
    loader = importlib.machinery.SourceFileLoader(qualified, os.path.join(HERE, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(qualified, loader))
    sys.modules[qualified] = module
    loader.exec_module(module)
    return module


values, template_names, written_task, task_names, provenance = (
    beside(name) for name in ("values", "template_names", "written_task", "task_names", "provenance")
)
text = values.text
# What variables, or a task beside its play, can say of how a host is reached.
CONNECTION_WORDS = {"ansible_connection", *values.CONNECTION_VARIABLES}


def reported(hook):
    """The run goes on whatever happens in here; the reader is told that it did."""
    def wrapper(self, *args, **kwargs):
        if os.getpid() != self.pid:
            return
        try:
            hook(self, *args, **kwargs)
        except Exception as error:
            self.emit("error", {"hook": hook.__name__, "msg": text("%s: %s" % (type(error).__name__, error))})
    return wrapper


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "drift_events"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self):
        super().__init__()
        self.pid = os.getpid()  # forked workers inherit this object
        self.seed = zlib.crc32(os.path.splitext(NAME)[0].encode("ascii"))
        self.sequence = 0
        self.tasks = {}
        self.plays = set()
        self.limit_asked = False  # whether a play of this playbook has told which parts of the limit match nothing
        self.play = None
        self.asked = set()  # hosts whose connection was looked up in this play, with tasks that have words of their own
        self.connections = {}  # what was last reported of each host's connection
        self.own_words = {}  # by its number: the variables of a task that says by itself how a host is reached
        self.file = os.open(os.path.join(HERE, "events"), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self.provenance = provenance.Provenance(self.emit, task_names.TaskNames(template_names), values.REPORTED)
        fields = {"ansible": text(__version__)}
        if os.environ.get("ANSIBLE_SSH_ARGS"):
            fields["ssh_args"] = text(os.environ["ANSIBLE_SSH_ARGS"])
        self.emit("open", fields)

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
        self.limit_asked = False
        self.emit("playbook", {
            "file": text(getattr(playbook, "_file_name", "")),
            "check": bool(args.get("check")),
            "limit": text(args["subset"]) if args.get("subset") else None,
            "tags": [text(tag) for tag in args.get("tags") or ()],
            "skip_tags": [text(tag) for tag in args.get("skip_tags") or ()],
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
            fields["max_fail_percentage"] = text(play.max_fail_percentage)
        implicit = [text(host.name) for host in batch if host.implicit]
        if implicit:
            fields["implicit"] = implicit
        if play._uuid not in self.plays:  # this hook comes once for each batch of `serial`
            self.plays.add(play._uuid)
            fields["named"] = [text(host.name) for host in inventory.get_hosts(play.hosts, ignore_restrictions=True)]
            limit = [] if self.limit_asked else getattr(inventory, "_subset", None) or []
            self.limit_asked = True
            for name, patterns in (("unmatched", split_host_pattern(play.hosts)), ("limit_unmatched", limit)):
                unmatched = unmatched_patterns(inventory, patterns)
                if unmatched:
                    fields[name] = unmatched
        fields.update(self.provenance.play_started(play, fields["name"]))
        self.emit("play", fields)
        self.play, self.asked, self.connections = play, set(), {}

    @reported
    def v2_playbook_on_no_hosts_matched(self):
        self.emit("no_hosts", {})

    @reported
    def v2_playbook_on_no_hosts_remaining(self):
        self.emit("no_hosts_left", {})

    @reported
    def v2_playbook_on_vars_prompt(self, varname, *args, **kwargs):
        self.emit("prompt", {"name": text(varname)})
        self.provenance.prompted(text(varname))

    @reported
    def v2_playbook_on_task_start(self, task, is_conditional):
        self.started(task)

    @reported
    def v2_playbook_on_handler_task_start(self, task):
        self.started(task)

    def started(self, task):
        number = self.number(task)
        self.provenance.started(number, task)
        fields = {"task": number}
        if task.action in ("meta", "ansible.builtin.meta", "ansible.legacy.meta"):
            # Each time a `meta` runs it says so here, and a skip follows at once where its `when` was false.
            fields["meta"] = text(task.args.get("_raw_params") or "")
            if fields["meta"] == "refresh_inventory":
                self.asked.clear()
        self.emit("start", fields)

    def number(self, task):
        number = self.tasks.get(task._uuid)
        if number is None:
            number = self.tasks[task._uuid] = len(self.tasks)
            words = variables_of(task)
            if task.connection != self.play.connection or any(not CONNECTION_WORDS.isdisjoint(part) for part in words):
                self.own_words[number] = words
            fields = values.described(task, number)
            if written_task.is_rescued(task):
                fields["rescued"] = True
            self.emit("task", fields)
        return number

    def connection(self, host, task):
        """Reports how a host is reached, where that is not yet reported.

        Asked with each result and answered once for a host, as long as nothing changes: to combine its variables takes
        Ansible most of a millisecond. A task with words of its own is asked for itself.
        """
        number = self.number(task)
        words = self.own_words.get(number)
        key = (host.name, number if words else None)
        if key in self.asked:
            return
        self.asked.add(key)
        variables = self.play.get_variable_manager().get_vars(play=self.play, host=host)
        self.provenance.load_values(str(host.name), variables)
        if words:
            defaults, own = words
            variables = {**defaults, **variables, **own}
        loader = self.play._loader
        named = {name: templated_text(variables.get(name), variables, loader) for name in values.CONNECTION_VARIABLES}
        fields = {
            "host": text(host.name),
            "plugin": text(templated_text(variables.get("ansible_connection"), variables, loader) or task.connection),
            "variables": {name: text(value) for name, value in named.items() if value},
        }
        if self.connections.get(host.name) != fields:
            self.connections[host.name] = fields
            self.emit("connection", fields)

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
        keyword = keywords_of(result)
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
            to = text(keyword("delegate_to") or "")
            if to and to != fields["host"]:
                fields["delegated_to"] = to
                delegated = self.play.get_variable_manager()._inventory.get_host(to)
        if status != "skipped":
            self.connection(delegated or result._host, task)
        if not keyword("check_mode"):
            fields["check_mode"] = False
        said = values.module_result(task, answer, keyword("args") or {}, status)
        if any(str(said.get(key, "")).startswith("~") for key in ("dest", "path")) or any(
            value.startswith("~") for value in said.get("args", {}).values()
        ):
            home = self.home(delegated or result._host, task, keyword)
            if home:
                said["home"] = text(home)
        if said:
            fields["answer"] = said
        fields.update(
            self.provenance.answered(result, fields["task"], status, keyword("args") or {}, item, "check_mode" not in fields)
        )
        self.emit("result", fields)
        if changes_connections(answer):  # of a loop each item has said so before
            self.asked.clear()

    def home(self, host, task, keyword):
        """The home of the user that a task runs as, where that is known."""
        variables = self.play.get_variable_manager().get_vars(play=self.play, host=host, task=task)
        read = lambda name: templated_text(variables.get(name), variables, self.play._loader)
        become = read("ansible_become") or keyword("become")
        if str(become).lower() in ("true", "yes", "1"):
            user = read("ansible_become_user") or keyword("become_user") or "root"
        elif (read("ansible_connection") or str(task.connection)).rpartition(".")[2] == "local":
            return os.path.expanduser("~")
        else:
            user = read("ansible_user") or keyword("remote_user")
        facts = variables.get("ansible_facts") or {}
        if user and facts.get("user_id") == str(user):
            return facts.get("user_dir")
        return "/root" if user == "root" else None

    @reported
    def v2_playbook_on_stats(self, stats):
        self.emit("stats", {"hosts": {
            text(host): {key: int(count) for key, count in stats.summarize(host).items()}
            for host in stats.processed
        }})


def keywords_of(result):
    """The keywords of a result's task, as they were for this host."""
    if TASKS_ARE_TEMPLATED:
        return lambda name: getattr(result._task, name)
    return result._task_fields.get


def variables_of(task):
    """The variables that a task brings along: the defaults of its role; its own, its blocks' and its role's others."""
    if not task._role:
        return {}, task.get_vars()
    chain = task.get_dep_chain()
    return task._role.get_default_vars(chain), {**task._role.get_vars(chain), **task.get_vars()}


def unmatched_patterns(inventory, patterns):
    """Those parts of a host pattern that name neither a group nor a host. A group may be empty."""
    unmatched = []
    for pattern in patterns:
        name = str(pattern).lstrip("!&")
        if name in inventory.groups or name in inventory.hosts:
            continue
        if not inventory.get_hosts(name, ignore_limits=True, ignore_restrictions=True):
            unmatched.append(text(name))
    return unmatched


def changes_connections(answer):
    """Whether an answer may change how hosts are reached: by facts, by the groups of a host, or by what `no_log` hides."""
    facts = answer.get("ansible_facts")
    if isinstance(facts, dict) and not CONNECTION_WORDS.isdisjoint(facts):
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
