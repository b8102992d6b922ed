"""Says which names the keywords of a task mention, as it is written, and how those names are defined."""
from __future__ import annotations

import fnmatch
import os
import re

try:  # from ansible-core 2.19 on a text is a template only if it carries this tag
    from ansible._internal._datatag._tags import TrustedAsTemplate
except ImportError:
    TrustedAsTemplate = None

from gitops_status_written_task import CONDITION_ARGS, CONDITIONS, CONNECTION, Written

DEEPEST = 50
LONG_TEXT = 4096
SCANNED_KEPT = 20000
FILES_KEPT = 200
# The field of a `uses` event for a keyword; for the others it is `other`. What says where and as whom a task runs counts as an
# argument: it decides what is compared.
ARGUMENTS = (
    "action", "args", "become", "become_exe", "become_flags", "become_method", "become_user", "connection", "delegate_facts",
    "environment", "module_defaults", "port", "remote_user", "run_once", "vars",
)
FIELDS = {"loop": "loop", "changed_when": "changed_when", "delegate_to": "delegate_to", **{keyword: "args" for keyword in ARGUMENTS}}
# Stands among the words of a text that brings in a template by its name: that one's words are not looked at.
BRINGS_IN = "\0template"
LOOKUPS = frozenset(("lookup", "query", "q"))
STATEMENTS = ("include", "import", "extends")
# Arguments of the template module that say how its text is to be read.
DELIMITERS = (
    "block_start_string", "block_end_string", "comment_start_string", "comment_end_string", "variable_start_string",
    "variable_end_string",
)
SEPARATORS = re.compile(r"\{\{.*?\}\}|[,:&!\s]+", re.DOTALL)


class TaskNames:
    def __init__(self, library):
        self.library = library
        self.reader = library.TemplateReader()
        self.scanned = {}  # words of containers and of long texts, by their id
        self.texts, self.brought_in = {}, {}  # of template files, by path

    def written(self, task):
        return Written(task, self)

    # Words: cheap, and never less than the names.

    def words(self, value, bare=False):
        """Everything in a value that could be a name; `bare` where names stand without delimiters."""
        if isinstance(value, str):
            if not bare and not self.library.is_template(value):
                return frozenset()
            if len(value) <= LONG_TEXT:
                return self.marked(self.reader.words(value))
        elif not isinstance(value, (dict, list, tuple)) or not value:
            return frozenset()
        key = (id(value), bare)
        found = self.scanned.get(key)
        if found is None:
            if isinstance(value, str):
                words = self.marked(self.library.words(value))
            else:
                words = frozenset().union(*(self.words(part, bare) for part in strings(value)))
            if len(self.scanned) >= SCANNED_KEPT:
                self.scanned.clear()
            found = self.scanned[key] = (value, words)  # with the value, so that nothing else gets its id
        return found[1]

    def marked(self, words):
        return words | {BRINGS_IN} if "template" in words and not LOOKUPS.isdisjoint(words) else words

    def files_mention(self, written, args, suspects):
        """Whether a template that a task's arguments name, or one that it brings in, mentions a suspect."""
        pending, seen = [path for _, path in self.named_files(written, args) if path], set()
        while pending:
            path = pending.pop()
            if path in seen:
                continue
            seen.add(path)
            try:
                text = self.text_of(path)
                if any(name in text for name in suspects):
                    return True
                if any(statement in text for statement in STATEMENTS):
                    pending += [found for _, found in self.files_in(written, path)]
                    computed = "vars" in suspects and (None, None) in self.reader.template(text).hostvars
                    if None in pending or computed:
                        return True
            except (self.library.Unreadable, OSError, ValueError):
                return True
        return False

    # Names: exact, by Jinja's parser.

    def of_task(self, provenance, written, host, args):
        """What the keywords of a task mention on a host, and how that is defined there."""
        uses, when, everything, problems = {}, [], self.library.Names(), []
        for_changes = provenance.modules.get(written.known_as, {}).get("for_changes", ())
        for keyword, value in written.keywords():
            field = FIELDS.get(keyword, "other")
            if keyword == "when":
                parts = [(None, self.read(keyword, condition, problems, bare=True)) for condition in value]
                when = [fields_of(part) for _, part in parts]
            elif keyword == "args":
                parts = [(None if name in for_changes else field, self.read(name, part, problems, name in CONDITION_ARGS))
                         for name, part in value.items()]
            else:
                parts = [(field, self.read(keyword, value, problems, keyword in CONDITIONS or keyword == "loop"))]
            for field, part in parts:
                self.read_files(written, self.paths(written, part.files), (), part, problems)
                everything.add(part)
                if field:
                    uses.setdefault(field, self.library.Names()).add(part)
        if args is not None:
            part = self.library.Names()
            overrides = [(name, str(args[name])) for name in DELIMITERS if args.get(name)]
            self.read_files(written, self.named_files(written, args), overrides, part, problems)
            everything.add(part)
            uses.setdefault("args", self.library.Names()).add(part)
        connection = CONNECTION & provenance.suspects
        everything.names |= connection
        uses.setdefault("args", self.library.Names()).names.update(connection)
        inventory = provenance.manager._inventory
        variables = provenance.manager.get_vars(play=provenance.play, host=inventory.get_host(host), task=written.task)
        fields = {field: fields_of(part) for field, part in uses.items()}
        fields["when"] = when if any(when) else []
        fields["loop_vars"] = written.loop_variables()
        fields["marker"] = written.action == "debug" and states(written.task, everything, variables, provenance.markers)
        fields.update(self.defined(provenance, written, everything, variables, host, problems))
        fields["elsewhere"] = self.elsewhere(provenance, everything, problems)
        fields["unreadable"] = "; ".join(problems)[:600]
        return {field: part for field, part in fields.items() if part}

    def of_play(self, provenance, play):
        """The same of what decides on the hosts of a play; None where nothing in it is suspect."""
        data = play.get_ds()
        pattern = data.get("hosts") if isinstance(data, dict) else None
        parts = [part for part in (pattern if isinstance(pattern, (list, tuple)) else [pattern]) if isinstance(part, str)]
        literal = {word for part in parts for word in SEPARATORS.split(part) if word}
        groups = {name for name in provenance.dynamic for word in literal if is_about(word, name)}
        if provenance.dynamic:
            groups |= {"*" for word in literal if word not in provenance.static}
        words = self.words(parts) | self.words(play.vars_files)
        if not groups and provenance.suspects.isdisjoint(words):
            return None
        problems, found = [], self.library.Names()
        found.add(self.read("hosts", parts, problems))
        found.add(self.read("vars_files", play.vars_files, problems))
        found.names.update("groups." + group for group in groups)
        fields = {"args": fields_of(found)}
        fields.update(self.defined(provenance, None, found, provenance.manager.get_vars(play=play), None, problems))
        fields["elsewhere"] = self.elsewhere(provenance, found, problems)
        fields["unreadable"] = "; ".join(problems)[:600]
        return {field: part for field, part in fields.items() if part}

    def read(self, keyword, value, problems, bare=False):
        """The names in the texts of a keyword's value."""
        names = self.library.Names()
        try:
            for part in strings(value):
                if self.library.is_template(part) and (keyword == "loop" or not bare):
                    names.add(self.reader.template(part))
                elif bare and keyword == "loop":
                    names.names.update([part] if part.isidentifier() else [])
                elif bare:
                    names.add(self.reader.expression(part))
        except self.library.Unreadable as error:
            problems.append("`%s`: %s" % (keyword, error))
        return names

    def defined(self, provenance, written, everything, variables, host, problems):
        """Follows names through the variables that define them by a template; adds what they mention to `everything`."""
        variables_of, extra, local = {}, provenance.manager.extra_vars, set(written.loop_variables()) if written else set()
        rendered = provenance.set_values(host) if host is not None else {}
        pending, seen = set(everything.names), set()
        while pending:
            name = pending.pop()
            seen.add(name)
            if name not in provenance.suspects or name not in variables or name in local:
                continue
            if name in rendered and name not in extra and rendered[name] is variables[name]:
                continue
            texts = [part for part in strings(variables[name]) if self.library.is_template(part) and is_trusted(part)]
            names = self.read(name, texts, problems)
            if written:
                self.read_files(written, self.paths(written, names.files), (), names, problems)
            if names.names or names.hostvars:
                variables_of[name] = fields_of(names)
                everything.add(names)
                pending |= names.names - seen
        fields = {"variables": variables_of, "extra_vars": sorted(str(name) for name in everything.names if name in extra)}
        if provenance.missing:
            facts = variables.get("ansible_facts") or {}
            fields["undefined"] = sorted(name for name in everything.names if name not in local and not has_value(name, variables, facts))
        return fields

    def elsewhere(self, provenance, everything, problems):
        """How names that are read of other hosts are defined there, and which of them no task would set."""
        inventory, out = provenance.manager._inventory, provenance.gone | provenance.limited
        names_of = {}
        for host, name in everything.hostvars:
            if name is not None:
                followed = name in provenance.suspects and name in provenance.definitions
                hosts = [host] if host is not None else sorted(inventory.hosts) if followed else sorted(out)
                for other in hosts:
                    names_of.setdefault(other, set()).add(name)
        found = {}
        for other, names in names_of.items():
            if not (other in out or any(name in provenance.suspects for name in names)):
                continue
            host = inventory.get_host(other)
            if host is None:
                continue
            variables = provenance.manager.get_vars(host=host, include_hostvars=False)
            there = self.library.Names()
            there.names |= names
            fields = self.defined(provenance, None, there, variables, other, problems)
            del fields["extra_vars"]
            if other in out:
                fields["stated"] = sorted(name for name in names if provenance.is_stated(other, name, variables))
            fields = {field: part for field, part in fields.items() if part}
            if fields:
                found[other] = fields
        return found

    # The texts of templates.

    def named_files(self, written, args):
        """The templates that arguments name, with their paths."""
        named = [args.get("src")] if written.action.endswith("template") else []
        named.append(args.get("template") if not written.action.endswith("template") else None)
        return self.paths(written, [name for name in named if isinstance(name, str) and name])

    def paths(self, written, names, beside=()):
        return [(name, self.path(written, name, beside)) for name in names]

    def path(self, written, name, beside):
        """Where Ansible finds a template, None where it is nowhere."""
        for folder in beside:
            if os.path.isfile(os.path.join(folder, name)):
                return os.path.join(folder, name)
        try:
            return written.task._loader.path_dwim_relative_stack(written.task.get_search_path(), "templates", name)
        except Exception:
            return None

    def text_of(self, path):
        text = self.texts.get(path)
        if text is None:
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if text.startswith("$ANSIBLE_VAULT;"):
                raise self.library.Unreadable("it is encrypted")
            if len(self.texts) >= FILES_KEPT:
                self.texts.clear()
            self.texts[path] = text
        return text

    def files_in(self, written, path, overrides=()):
        """What a template brings in, with the paths."""
        return self.paths(written, self.reader.template(self.text_of(path), overrides).files, [os.path.dirname(path)])

    def read_files(self, written, pending, overrides, names, problems):
        """Adds the names in templates and in what they bring in."""
        pending, seen = list(pending), set()
        while pending:
            name, path = pending.pop()
            if path is None:
                problems.append("template `%s` cannot be found" % name)
            elif path not in seen:
                seen.add(path)
                try:
                    found = self.reader.template(self.text_of(path), overrides)
                    pending += self.files_in(written, path, overrides)
                except (self.library.Unreadable, OSError, ValueError) as error:
                    problems.append("template `%s`: %s" % (name, error))
                    continue
                names.names |= found.names
                names.hostvars |= found.hostvars


def fields_of(names):
    fields = {"names": sorted(names.names), "hostvars": [list(pair) for pair in sorted(names.hostvars, key=str)]}
    return {field: part for field, part in fields.items() if part}


def states(task, everything, variables, markers):
    """Whether the text of a `debug` holds a marker, in itself, by its loop or by a variable."""
    texts = [task.args, task.loop, task.vars, *(variables[name] for name in everything.names if name in variables and name not in ("hostvars", "vars", "groups"))]
    return any(marker in part for text in texts for part in strings(text) for marker in markers)


def strings(value, depth=0):
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        if depth > DEEPEST:
            raise RecursionError("a value is nested too deeply")
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings(part, depth + 1)
        if isinstance(value, dict):
            yield from (key for key in value if isinstance(key, str) and "{{" in key)


def is_trusted(text):
    """Whether Ansible takes a text for a template: what a task has answered is none, whatever stands in it."""
    if TrustedAsTemplate is not None:
        return TrustedAsTemplate.is_tagged_on(text)
    return not hasattr(text, "__UNSAFE__")


def has_value(name, variables, facts):
    if name.startswith("ansible_facts."):
        fact = name.partition(".")[2]
        return fact in facts or fact.removeprefix("ansible_") in facts
    return name in variables or name.startswith("groups.") or name in LOOKUPS or name in ("omit", "now", "undef")


def is_about(word, name):
    """Whether a part of a host pattern may be about a host or group."""
    return word == name or word.startswith("~") or (word not in ("*", "all") and fnmatch.fnmatchcase(name, word))


def inventory_args(action, args):
    """The hosts and groups that `add_host` and `group_by` name as they are written; `*` for one that is computed."""
    named = lambda *keys: {str(part) for key in keys if key in args for part in listed(args[key])}
    hosts = named("name", "host", "hostname") if action == "add_host" else set()
    groups = named("groups", "group", "groupname") if action == "add_host" else named("key", "parents")
    computed = lambda names: {"*" if "{{" in name or "{%" in name else name.replace(" ", "-") for name in names}
    return computed(hosts), computed(groups)


def listed(value):
    return value if isinstance(value, (list, tuple)) else str(value).split(",")
