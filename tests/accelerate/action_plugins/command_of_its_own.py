"""Runs a command for the user who logs in, as action plugins do for what they need around a module."""
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        answer = super().run(tmp, task_vars)
        answer.update(self._low_level_execute_command(self._task.args["command"], sudoable=False))
        return answer
