#!/usr/bin/python
# Answers in check mode as the module of this name does: "changed", whatever it finds.
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec={"path": {"type": "path"}, "dest": {"type": "path"}}, supports_check_mode=True)
module.exit_json(changed=True, dest=module.params["dest"])
