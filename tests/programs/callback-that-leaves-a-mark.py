"""A callback of the user's own: at the end of a run it makes a file with its own name in $TARGET."""
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: mark
type: notification
short_description: leaves a mark
description: Leaves a mark.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = os.path.basename(__file__)[:-3]

    def v2_playbook_on_stats(self, stats):
        open(os.path.join(os.environ["TARGET"], self.CALLBACK_NAME), "w").close()
