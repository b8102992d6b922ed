"""Reports where values come from, as far as something unknown may stand behind one; Rust decides what is unknown.

A value may be unknown when it comes from something that did not really happen in this check. Here names are only
*suspected*: a suspect is a name that may be unknown on some host. Whether a text mentions a suspect is asked of its
words, without a parser, which is cheap and never misses a name that stands there. Only where it does, Jinja's parser
and Ansible's own variables say exactly which names a keyword mentions and how each is defined, for Rust to follow.

A result tells it by two fields. `uses` says that the last `uses` event of its task holds for it. `sets` says which
names it sets, where they may be unknown now or were suspects before. A run in which nothing is suspected has neither.
"""
from __future__ import annotations

import fnmatch
import json

from ansible.constants import LOCALHOST
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.loader import module_loader

from gitops_status_task_names import BRINGS_IN, LOOKUPS, inventory_args

# Variables that tell a playbook how it is run.
CHECK_MODE = ("ansible_check_mode", "ansible_diff_mode")
# What tells of other hosts: it is not what it would be, once one of them could not be reached or has failed.
OTHER_HOSTS = (
    "hostvars", "play_hosts", "ansible_play_hosts", "ansible_play_batch", "ansible_current_hosts",
    "ansible_failed_hosts",
)
# What stands for all values at once, once one of them is suspected.
ALL_VALUES = {"hostvars", "vars"}
# What a rescue is told of the failure before it.
FAILURE = ("ansible_failed_result", "ansible_failed_task")
ORDINARY_SKIPS = ("Conditional result was False", "No items in the list")
HELD_BACK = "would have run"
NO_ITEMS = ORDINARY_SKIPS[1]
# Lookups that find nothing where something on the controller is missing.
FINDING_LOOKUPS = ("fileglob", "filetree", "first_found")
ERRORS_IGNORED = ({"errors", "ignore"}, {"errors", "warn"})


class Known:
    """A task of the play at work."""
    __slots__ = ("written", "waived", "reported")

    def __init__(self, written, waived):
        self.written, self.waived = written, waived
        self.reported = None  # what its last `uses` event said


class Provenance:
    def __init__(self, emit, mentions, reported):
        self.emit, self.mentions = emit, mentions
        self.ignored, self.markers, self.modules = reported["ignored"], reported["markers"], reported["modules"]
        self.suspects = {*CHECK_MODE, BRINGS_IN}
        self.definitions = {}  # every definition that was met, by its name: the words of its texts
        self.tasks = {}  # by number
        self.loaded = set()  # hosts and roles whose definitions were met in this play
        self.suspect_items = set()  # tasks and hosts
        self.includes = {}  # the numbers of dynamic includes that something suspect decided on, by uuid
        self.uncertain = False  # something suspect decided on the hosts of this play, or whether it goes on
        self.failed = False  # a task that uses a suspect has failed
        self.missing = False  # something that sets names nobody can tell may not have set them
        self.assigned = set()  # names that tasks set
        self.found = {}  # those of them that hold what was found on the controller, and by what
        self.gone, self.limited, self.removed = set(), set(), 0
        self.dynamic = set()  # hosts and groups that tasks may or may not have added
        self.static = None  # hosts and groups of the inventory
        self.play = self.manager = None
        self.play_waived = False

    # What happens in a run.

    def play_started(self, play, name):
        """The fields that a play's event has beside its own."""
        self.play, self.manager = play, play.get_variable_manager()
        self.play_waived = matches(self.ignored["plays"], [name])
        self.tasks, self.loaded, self.removed = {}, set(), 0
        self.suspect_items.clear()
        if self.static is None:
            self.static = {*self.manager._inventory.groups, *self.manager._inventory.hosts, "*", "all"}
        self.look_for_limited()
        self.look_for_gone()
        uses = self.mentions.of_play(self, play)
        self.uncertain = bool(uses)
        return {"hosts_from": uses} if uses else {}

    def prompted(self, name):
        """A `vars_prompt` that nobody answered takes its default."""
        self.suspect([name])

    def started(self, number, task):
        """A task as it is written; that of a result may be templated already."""
        if number not in self.tasks:
            full = str(task.get_name())
            waived = self.play_waived or matches(self.ignored["tasks"], [full, full.partition(" : ")[2]])
            self.tasks[number] = Known(self.mentions.written(task), waived)
        self.look_for_gone()

    def answered(self, result, number, status, args, item, check_mode):
        """The fields that a result's event has beside its own. Whatever goes wrong in here becomes one of them."""
        try:
            return self.follow(result, number, status, args, item, check_mode)
        except Exception as error:
            why = "%s: %s" % (type(error).__name__, error)
            self.emit("uses", {"task": number, "mentions": {"unreadable": why[:600]}})
            self.missing = True
            return {"uses": True, "sets": {"anything": True}}

    def follow(self, result, number, status, args, item, check_mode):
        if number not in self.tasks:
            self.started(number, result._task)
        known, host, answer = self.tasks[number], str(result._host.name), result._result
        self.look_for_gone()
        if host in self.gone and status != "unreachable" and host not in self.play._removed_hosts:
            self.gone.discard(host)
            self.emit("gone", {"back": [host]})
        self.load(host, known.written)
        args = args if status in ("ok", "failed") else None
        uses = self.bears_on(known.written, args)
        fields = {}
        if uses:
            self.report(known, number, host, args)
            fields["uses"] = True
        fields.update(self.said(known.written, answer, status, check_mode))
        if not item and NO_ITEMS in (answer.get("skip_reason"), answer.get("skipped_reason")):
            fields.update(self.found_by(known.written))
        suspect = uses or known.waived or "held_back" in fields or "skipped_paths" in fields or not self.plain(known.written, answer, status, args)
        self.uncertain = self.uncertain or (bool(uses) and known.written.action == "meta")
        suspect = suspect or self.uncertain or host in self.dynamic
        suspect = suspect or (bool(known.written.task.register) and self.may_be_no_proof(known.written, args))
        if item:
            if suspect:
                self.suspect_items.add((number, host))
            return fields
        if (number, host) in self.suspect_items:
            self.suspect_items.discard((number, host))
            suspect = True
        if uses and status == "failed":
            self.failed = True
            self.suspect(FAILURE)
        self.note_found(known.written, host)
        sets = self.sets(known.written, answer, status, suspect)
        if sets is not None:
            fields["sets"] = sets
        if suspect and isinstance(known.written.task, TaskInclude):
            self.includes[known.written.task._uuid] = number
        if known.written.action in ("add_host", "group_by", "include_vars"):
            self.loaded = set()
        return fields

    # What an answer says of itself.

    def said(self, written, answer, status, check_mode):
        """What an answer that is ok says of not having been given."""
        fields = {}
        command = self.modules.get(written.known_as, {}).get("message")
        # A script that `creates` or `removes` would let run says nothing of having been held back; `no_log` hides it of a command.
        # A command in the background says it later, to the task that waits for it.
        silent = written.known_as == "script" or (command and ("censored" in answer or "ansible_job_id" in answer))
        if status == "ok" and (check_mode and silent or HELD_BACK in str(answer.get("msg"))[:200]):
            fields["held_back"] = True
        if answer.get("skipped_paths"):
            fields["skipped_paths"] = True
        return fields

    def plain(self, written, answer, status, args):
        """Whether an answer may be what it would be in a real run, as far as one can see without judging it."""
        if status in ("ok", "failed"):
            # Without a time, `pause` waits for an answer, which nobody gives.
            asked = written.known_as == "pause" and set(self.modules["pause"]["arguments"]).isdisjoint(args or ())
            return not asked and not (written.known_as == "find" and "censored" in answer)
        reasons = (answer.get("skip_reason"), answer.get("skipped_reason"))
        return status == "skipped" and any(reason in ORDINARY_SKIPS for reason in reasons)

    def may_be_no_proof(self, written, args):
        """Whether what a task registers may be the same whatever it finds."""
        if written.is_template:
            return True
        found = self.modules.get(written.known_as)
        if found is None or args is None:
            return False
        doubtful = found["doubtful"]
        return doubtful is None or bool(written.task.module_defaults) or not args.keys().isdisjoint(doubtful)

    def look_for_gone(self):
        """Reports hosts that the run goes on without, as it loses them."""
        removed = getattr(self.play, "_removed_hosts", ())
        if len(removed) != self.removed:
            self.removed = len(removed)
            self.lose("hosts", {str(host) for host in removed} - self.gone)

    def lose(self, field, hosts):
        if hosts:
            (self.gone if field == "hosts" else self.limited).update(hosts)
            self.emit("gone", {field: sorted(hosts)})
            self.suspect(OTHER_HOSTS)

    def look_for_limited(self):
        inventory = self.manager._inventory
        if getattr(inventory, "_subset", None):
            named = inventory.get_hosts(self.play.hosts, ignore_limits=True, ignore_restrictions=True)
            shown = {host.name for host in inventory.get_hosts(self.play.hosts, ignore_restrictions=True)}
            self.lose("limited", {str(host.name) for host in named if host.name not in shown} - self.limited)

    # What is suspected.

    def suspect(self, names):
        new = {str(name) for name in names} - self.suspects
        while new:
            self.suspects |= new
            new = {
                name for name, words in self.definitions.items()
                if name not in self.suspects and not new.isdisjoint(words)
            }

    def define(self, name, value):
        words = self.mentions.words(value)
        known = self.definitions.get(name)
        if not words or (known is not None and words <= known):
            return
        self.definitions[name] = words if known is None else known | words
        if name not in self.suspects and not self.suspects.isdisjoint(words):
            self.suspect([name])

    def load(self, host, written):
        """Meets the definitions that hold for a task on a host."""
        if host not in self.loaded:
            self.loaded.add(host)
            values = self.manager.get_vars(play=self.play, host=self.manager._inventory.get_host(host))
            self.load_values(host, values)
        if written.loaded:
            return
        written.loaded = True
        role = written.task._role
        if role is not None and id(role) not in self.loaded:
            self.loaded.add(id(role))
            chain = written.task.get_dep_chain()
            for part in (role.get_default_vars(chain), role.get_vars(chain)):
                for name, value in part.items():
                    self.define(name, value)
        for name, value in written.task.get_vars().items():
            self.define(name, value)

    def load_values(self, host, values):
        """Meets the definitions among a host's variables, which may have been combined for somebody else already."""
        self.loaded.add(host)
        facts, rendered = values.get("ansible_facts") or {}, self.set_values(host)
        for name, value in values.items():
            if name not in rendered and name not in facts and name.removeprefix("ansible_") not in facts:
                self.define(name, value)

    def set_values(self, host):
        """What tasks have set on a host: it holds no templates any more."""
        return getattr(self.manager, "_nonpersistent_fact_cache", {}).get(host, {})

    def bears_on(self, written, args):
        """Whether something suspect may bear on a task."""
        return (
            not self.suspects.isdisjoint(written.words())
            or self.missing
            or (self.failed and written.in_rescue())
            or (bool(self.includes) and any(uuid in self.includes for uuid in written.includes()))
            or (args is not None and self.mentions.files_mention(written, args, self.suspects))
        )

    def found_by(self, written):
        """What a loop is over that may find nothing, behind the variables that it names."""
        words, pending, by = set(), self.mentions.words(written.task.loop, bare=True), set()
        while pending:
            words |= pending
            behind = [self.definitions[name] for name in pending if name in self.definitions]
            by = by.union(*(finders(part) for part in behind), *(self.found[name] for name in pending if name in self.found))
            pending = frozenset().union(*behind) - words
        return {"found_by": sorted(by)} if by else {}

    def note_found(self, written, host):
        """Follows what is found on the controller, as far as a `set_fact` hands it on."""
        names, by = set(written.registers()), set()
        if written.action == "find" and (written.task.delegate_to in LOCALHOST or host in LOCALHOST):
            by = {"find"}
        elif written.action == "set_fact":
            names.update(str(key) for key in written.task.args)
            words = written.words()
            by = finders(words).union(*(self.found[name] for name in words if name in self.found))
        for name in names:
            if by:
                self.found[name] = by
            else:
                self.found.pop(name, None)

    def report(self, known, number, host, args):
        """Says which names a task mentions and how they are defined, where that is not what was said of it last."""
        uses = self.mentions.of_task(self, known.written, host, args)
        within = sorted(self.includes[uuid] for uuid in known.written.includes() if uuid in self.includes)
        if within:
            uses["within"] = within
        if self.failed and known.written.in_rescue():
            uses["rescue"] = True
        said = json.dumps(uses, sort_keys=True)
        if known.reported != said:
            known.reported = said
            self.emit("uses", {"task": number, "mentions": uses})

    def is_stated(self, host, name, variables):
        """Whether the inventory says a value of a host that is out, and no task would say another."""
        facts = variables.get("ansible_facts") or {}
        fact = name in facts or name.removeprefix("ansible_") in facts
        asked = host in self.limited and host not in self.gone
        return name in variables and (asked or not (name in self.assigned or name in self.set_values(host) or fact))

    # What a task sets.

    def sets(self, written, answer, status, suspect):
        """What a result sets, as far as Rust has to know it; None where it has not."""
        task, action = written.task, written.action
        names = set(written.registers())
        facts, hosts, groups = set(), set(), set()
        anything = False
        answers = answer.get("results") if isinstance(answer.get("results"), list) else [answer]
        answers = [part for part in answers if isinstance(part, dict)]
        given = {str(key) for part in answers if isinstance(part.get("ansible_facts"), dict) for key in part["ansible_facts"]}
        if written.is_template:  # it may be one that sets variables
            names |= given
        if action == "set_fact":
            names |= given | {str(key) for key in task.args if key != "cacheable"}
        elif action == "include_vars":
            names |= given
            anything = not given
        elif action in ("add_host", "group_by"):
            for part in answers:
                added = part.get("add_host") or {}
                hosts |= {str(added["host_name"])} if added.get("host_name") else set()
                names |= {str(key) for key in added.get("host_vars") or {}}
                groups |= {str(group) for group in added.get("groups") or ()}
                groups |= {str(group) for group in [part.get("add_group"), *(part.get("parent_groups") or ())] if group}
            if not hosts and not groups:
                hosts, groups = inventory_args(action, task.args)
        elif isinstance(task, TaskInclude):
            anything = status != "ok"
        else:
            facts = given
            anything = status not in ("ok", "failed") and may_set_facts(task)
        # Where a task failed, those after it in its block have not run.
        anything = anything or status == "failed"
        self.assigned |= names
        if not suspect:
            names &= self.suspects
            facts = {name for name in facts if name in self.suspects or name.removeprefix("ansible_") in self.suspects}
            if not names and not facts:
                return None
            hosts, groups, anything = set(), set(), False
        else:
            self.suspect(names | facts | {name.removeprefix("ansible_") for name in facts} | hosts | groups | ALL_VALUES)
            if groups or hosts:
                self.dynamic |= groups | hosts
                self.suspect(["groups", "group_names", "inventory_hostnames"])
            self.missing = self.missing or anything
        fields = {"names": names, "facts": facts, "hosts": hosts, "groups": groups}
        fields = {field: sorted(part) for field, part in fields.items() if part}
        if anything:
            fields["anything"] = True
        if task.delegate_to and task.delegate_facts:
            fields["delegated"] = True
        return fields


def finders(words):
    """What in a text finds nothing where something on the controller is missing."""
    by = {name for name in FINDING_LOOKUPS if name in words}
    ignored = not LOOKUPS.isdisjoint(words) and any(pair <= words for pair in ERRORS_IGNORED)
    return by | {"errors"} if ignored else by


def matches(globs, names):
    """Whether a waiver may be about one of these names; a pattern that is read in two ways counts as one that is."""
    return any("**" in glob or "[" in glob or fnmatch.fnmatchcase(name, glob) for glob in globs for name in names if name)


def may_set_facts(task):
    """A module that answers with facts says so in its source."""
    try:
        found = module_loader.find_plugin_with_context(task.action, collection_list=task.collections)
        with open(found.plugin_resolved_path, encoding="utf-8", errors="replace") as source:
            return "ansible_facts" in source.read()
    except Exception:
        return True
