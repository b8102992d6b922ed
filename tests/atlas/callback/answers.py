"""Prints what each task answered: one JSON object on a line of its own for each host and task."""
import json

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: answers
type: stdout
short_description: What each task answered, as JSON lines
description: [The experiments of the check-mode atlas read it.]
"""


def shown(diff):
    """What the diff of an answer shows: `none`, `equal`, `differs`, or `text` where it has no two sides."""
    sides = [one for one in (diff if isinstance(diff, list) else [diff]) if one]
    if not sides:
        return "none"
    for one in sides:
        if one.get("dst_binary") or one.get("src_binary") or one.get("dst_larger"):
            return "differs"
        if one.get("before") != one.get("after"):
            return "differs"
    return "text" if any(one.get("prepared") for one in sides) else "equal"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "answers"

    def v2_playbook_on_play_start(self, play):
        self.play = play.get_name()

    def tell(self, result, answer):
        told = result._result
        if answer == "ok" and told.get("changed"):
            answer = "changed"
        diffs = told.get("diff") or [item.get("diff") for item in told.get("results", []) if isinstance(item, dict)]
        line = {"play": self.play, "task": result._task.get_name(), "answer": answer, "diff": shown(diffs)}
        if answer in ("skipped", "failed", "unreachable"):
            line["message"] = str(told.get("msg") or told.get("skip_reason") or told.get("exception") or told)[:600]
        print(json.dumps(line), flush=True)

    def v2_runner_on_ok(self, result):
        self.tell(result, "ok")

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.tell(result, "failed")

    def v2_runner_on_skipped(self, result):
        self.tell(result, "skipped")

    def v2_runner_on_unreachable(self, result):
        self.tell(result, "unreachable")
