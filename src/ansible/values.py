"""The values that the callback reports: names, conditions and answers as Ansible has them, as plain text.

Two things are worked out here, because the text they come from may be secret and stays here: in which keys the two
sides of a diff differ, and which lines of a `debug` begin like a marker. What may be reported at all (names of
arguments and variables, limits of length) is said in src/ansible/reported.rs; it comes in the file `reported.json`
beside this one.
"""
from __future__ import annotations

import json
import os

from ansible.playbook.handler import Handler

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reported.json"), encoding="utf-8") as file:
    REPORTED = json.load(file)
TEXT_LIMIT, MARKER_LIMIT = REPORTED["text_limit"], REPORTED["marker_limit"]
# No argument but these and those of single modules leaves this process: others hold passwords.
NAMING_ARGUMENTS = REPORTED["naming_arguments"]
MODULES = REPORTED["modules"]
NOTHING_MORE = {"arguments": (), "answers": (), "disclaimers": (), "message": False, "doubtful": ()}
CONNECTION_VARIABLES = REPORTED["connection_variables"]
MARKERS = tuple(REPORTED["markers"])
DIFFERS_UNSEEN = ("dst_binary", "dst_larger", "src_binary", "src_larger")


def text(value, limit=TEXT_LIMIT):
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


def described(task, number):
    """What a task is, as the playbook says it."""
    fields = {"number": number, "name": text(task.get_name()), "action": text(task.resolved_action or task.action)}
    place = task.get_path()
    if place:
        fields["place"] = text(place.removeprefix(os.getcwd() + os.sep))
    for flag, holds in (
        ("handler", isinstance(task, Handler)),
        ("run_once", bool(task.run_once)),
        ("any_errors_fatal", bool(task.any_errors_fatal)),
    ):
        if holds:
            fields[flag] = True
    for keyword in ("when", "changed_when", "failed_when"):
        sources = conditions(getattr(task, keyword))
        if sources:
            fields[keyword] = sources
    if task.diff is not None and task.diff is not True:
        fields["diff"] = text(task.diff)
    if isinstance(task.loop, str):  # a list that is written out may hold secrets
        fields["loop"] = text(task.loop)
    if task.loop_with:
        fields["loop_with"] = text(task.loop_with)
        parts = task.loop if isinstance(task.loop, (list, tuple)) else [task.loop]
        if any(isinstance(part, dict) and part.get("skip") for part in parts):
            fields["loop_skip"] = text([part["skip"] for part in parts if isinstance(part, dict) and part.get("skip")][0])
    defaults = module_defaults(task)
    if defaults:
        fields["module_defaults"] = defaults
    return fields


def of_module(task):
    """What is reported of the answers of a task's module beyond what is reported of all."""
    action = task.resolved_action or task.action
    for own in ("ansible.builtin.", "ansible.legacy."):
        action = action.removeprefix(own)
    return MODULES.get(action, NOTHING_MORE)


def conditions(value):
    """The conditions of a keyword as their text; 2.21 gives a bare False where 2.20 gave [False]."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    return [text(part) for part in parts if part is not None]


def module_defaults(task):
    """`module_defaults` are merged in the worker, where no callback sees them: those that can be meant, as they are written."""
    defaults, names = {}, of_module(task)["arguments"]
    groups = task.module_defaults
    for group in groups if isinstance(groups, (list, tuple)) else [groups]:
        for module, given in (group or {}).items():
            if isinstance(given, dict):
                found, _ = arguments(given, names)
                if found:
                    defaults.setdefault(text(module), {}).update(found)
    return defaults


def module_result(task, answer, args, status):
    """What the module said, as far as it can matter; the task's arguments by name alone."""
    fields, more = {}, of_module(task)
    censored = "censored" in answer
    ok, judged = status == "ok", "failed_when_result" in answer
    if ok:
        if (task.resolved_action or task.action).rpartition(".")[2] == "debug" and not censored:
            lines = marker_lines(answer.get("msg", answer.get(str(args.get("var")))))
            if lines:
                fields["markers"] = lines
        if answer.get("ansible_job_id"):
            fields["job"] = text(answer["ansible_job_id"])
            fields["finished"] = bool(answer.get("finished"))
        if more["disclaimers"] and disclaimed(answer, more["disclaimers"]):
            fields["disclaimed"] = True
    if judged:
        fields["failed_when_result"] = bool(answer["failed_when_result"])
    if not ok or judged or more["message"]:
        for key in ("skip_reason", "skipped_reason", "false_condition", "msg", "module_stderr"):
            value = answer.get(key)
            if value is not None and value != "":
                fields[key] = text(value)
    if not ok or judged:
        if isinstance(answer.get("rc"), int):
            fields["rc"] = int(answer["rc"])
        if answer.get("exception"):
            fields["exception"] = True
    names = more["arguments"]
    if (ok or judged) and not censored and (answer.get("changed") or conditions(task.changed_when)):
        names = [*names, *NAMING_ARGUMENTS]
        diffs = answer.get("diff") or []
        diffs = [described_diff(diff) for diff in (diffs if isinstance(diffs, list) else [diffs]) if isinstance(diff, dict)]
        if diffs:
            fields["diff"] = diffs
        for key in ("dest", "path"):
            if isinstance(answer.get(key), str):
                fields[key] = text(answer[key])
    if ok or judged or status == "skipped":
        found, several = arguments(args, names)
        if found:
            fields["args"] = found
        if several:
            fields["several"] = several
    if not censored:
        found, _ = arguments(answer, more["answers"])
        if found:
            fields["fields"] = found
    if ok:
        said = source_tree(task, answer, args)
        if said:
            fields[said] = True
    return fields


def source_tree(task, answer, args):
    """What is special about the directory of the controller that a `copy` takes, as the name of a field.

    Where such a directory holds one file, its answer is not that of the file but that of what comes last: a directory or a
    link. It has a state then, and no checksum.
    """
    named = args.get("src")
    if (task.resolved_action or task.action).rpartition(".")[2] != "copy" or not isinstance(named, str):
        return None
    if args.get("remote_src") not in (None, False) or "checksum" in answer:
        return None
    if "state" in answer:
        return "lone_file"
    source = answer.get("src")
    if not isinstance(source, str):  # `no_log` hides it
        try:
            source = task._loader.path_dwim_relative_stack(task.get_search_path(), "files", named)
        except Exception:
            return None
    if not os.path.isdir(source):
        return None
    files, links, directories = 0, 0, 0
    for folder, folders, inside in os.walk(source):
        linked = sum(os.path.islink(os.path.join(folder, name)) for name in inside)
        files, links, directories = files + len(inside) - linked, links + linked, directories + len(folders)
    if files + links == 0:
        return "empty_source"
    return "lone_file" if "censored" in answer and files <= 1 and links + directories else None


def disclaimed(answer, phrases):
    """Whether a module warns that it did not look."""
    warnings = " ".join(str(warning) for warning in answer.get("warnings") or ())
    return any(phrase in warnings for phrase in phrases)


def arguments(args, names):
    """Those of a task's arguments that have these names, as text; and which of them are lists of several."""
    found, several = {}, []
    for name in names:
        value = args.get(name)
        if isinstance(value, (list, tuple)):
            if len(value) > 1:
                several.append(name)
            value = ",".join(str(part) for part in value)
        if value is not None and isinstance(value, (str, int, float)) and str(value):
            found[name] = text(value)
    return found, several


def described_diff(diff):
    """Where a diff is about and whether its sides differ; never their text."""
    before, after = diff.get("before"), diff.get("after")
    fields = {}
    for key in ("before_header", "after_header"):
        if isinstance(diff.get(key), str) and diff[key]:
            fields[key] = text(diff[key])
    if isinstance(before, dict) and isinstance(after, dict):
        if isinstance(before.get("path"), str):
            fields["path"] = text(before["path"])
        fields["keys"] = sorted({text(key) for key in list(before) + list(after) if before.get(key) != after.get(key)})
        if "state" in fields["keys"]:
            fields["states"] = [text(before.get("state")), text(after.get("state"))]
        fields["sides"] = "differ" if fields["keys"] else "equal"
    elif any(diff.get(key) for key in DIFFERS_UNSEEN) or before != after:
        fields["sides"] = "differ"
    elif before is not None:
        fields["sides"] = "equal"
        if before == "":
            fields["empty"] = True
    return fields


def marker_lines(value):
    """The lines of a `debug` that begin like a marker, as they stand."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    lines = [line.strip(" \t\r") for part in parts if isinstance(part, str) for line in part.split("\n")]
    return [text(line, MARKER_LIMIT) for line in lines if line.startswith(MARKERS)]
