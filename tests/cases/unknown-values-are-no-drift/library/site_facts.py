#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule

AnsibleModule({}).exit_json(changed=False, ansible_facts={"site_answer": "yes"})
