# No answer of a module is known that breaks the callback which records the run, so this one breaks it.
import sys

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "breaker"

    def v2_playbook_on_start(self, playbook):
        for module in list(sys.modules.values()):
            if hasattr(getattr(module, "CallbackModule", None), "emit"):
                module.CallbackModule.answered = None
