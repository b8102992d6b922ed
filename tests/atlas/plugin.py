"""Asks a plugin-gitops-status binary for the status of each experiment, and says where that status is wrong."""
import collections
import re
import subprocess


class NoChecker:
    """No plugin was named: nothing is asked."""

    def judge(self, case, label):
        pass

    def told(self):
        return []


class Checker:
    """Runs the plugin on a playbook of one case, before and after a change by hand."""

    def __init__(self, binary, ansible):
        self.binary, self.ansible = binary, ansible
        self.wrong, self.counts = [], collections.Counter()

    def status(self, case):
        book = self.ansible.play(case["file"], [case])
        ours = ("ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_CALLBACK_PLUGINS")
        environment = {name: value for name, value in self.ansible.environment.items() if name not in ours} | {
            "PLUGIN_DRY_RUN": "true", "PLUGIN_PLAYBOOK": str(book), "PLUGIN_SERVER_NAME": "atlas", "PLUGIN_REPO_NAME": "atlas",
            "PLUGIN_INVENTORY": str(self.ansible.work / "inventory.json")}
        done = subprocess.run([self.binary], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=environment, cwd=book.parent, timeout=600)
        (book.parent / "plugin.log").write_text(done.stdout)
        payload = re.search(r'"sync_status":"(\w+)"', done.stdout)
        return payload.group(1) if payload else "UNKNOWN"

    def judge(self, case, label):
        """SYNCED of a target that was changed, and OUT_OF_SYNC of one that was not, are wrong; UNKNOWN never is."""
        status = self.status(case)
        what = "clean" if label is None else "changed by hand"
        self.counts[what, status] += 1
        where = f"{case['file']['name']}: `{case['about']}`, {label or 'clean'}: the plugin says {status}"
        if label is None and status == "OUT_OF_SYNC":
            self.wrong.append(where)
        if label is not None and status == "SYNCED" and not case["changes"][label].get("outside"):
            self.wrong.append(where)

    def told(self):
        """What was wrong since this was last asked."""
        wrong, self.wrong = self.wrong, []
        return wrong
