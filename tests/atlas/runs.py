"""Runs ansible-playbook, and tells what each task answered."""
import importlib
import json
import os
import pathlib
import signal
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent


class Broken(Exception):
    """An experiment that could not be carried out: nothing is known of what it asks."""


class Ansible:
    """Runs playbooks against a target, and tells what their tasks answered."""

    def __init__(self, target, work, collections):
        self.target, self.work = target, work
        inventory = {"all": {"hosts": {"target": {
            "ansible_host": str(target.directory), "ansible_connection": "ssh", "ansible_ssh_executable": str(HERE / "enter"),
            "ansible_ssh_transfer_method": "piped", "ansible_pipelining": True,
            "ansible_python_interpreter": sys.executable if target.scratch else "/usr/bin/python3"}}}}
        (work / "inventory.json").write_text(json.dumps(inventory))
        # It would look a thousand times a second whether a task has ended.
        (work / "ansible.cfg").write_text("[defaults]\ninternal_poll_interval = 0.01\n")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PLUGIN_", "CI"))}
        self.environment = kept | {
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"), "ANSIBLE_STDOUT_CALLBACK": "answers",
            "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_CONFIG": str(work / "ansible.cfg"), "ANSIBLE_HOME": str(work / "home"),
            "ANSIBLE_LOCALHOST_WARNING": "false", "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8", "HOME": str(work),
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_DEPRECATION_WARNINGS": "false", "ANSIBLE_LOCAL_TEMP": str(work / "tmp"), "ANSIBLE_FORKS": "1"}
        self.count = 0
        # Its modules read their settings while they are imported.
        os.environ.clear()
        os.environ.update(self.environment)
        for name in ("cli.playbook", "executor.playbook_executor", "executor.task_queue_manager", "plugins.strategy.linear",
                     "plugins.connection.ssh", "plugins.action.normal", "plugins.action.copy", "plugins.shell.sh"):
            importlib.import_module(f"ansible.{name}")

    def play(self, file, cases, **keywords):
        """Writes a playbook of these cases, each with these keywords, and returns its path."""
        beside = self.work / file["name"]
        beside.mkdir(exist_ok=True)
        for name, text in file.get("files", {}).items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text) if text is not None else path.mkdir(exist_ok=True)
        tasks = [{"name": case["about"], case["module"]: case["args"], **keywords, **case.get("keywords", {})} for case in cases]
        play = {"name": file["name"], "hosts": "target", "gather_facts": False, "vars": {"here": file["here"]}, "tasks": tasks}
        book = beside / "site.yml"
        book.write_text(yaml.safe_dump([play], sort_keys=False))
        return book

    def playbook(self, log, command):
        """Runs ansible-playbook in a fork of this process, which spares it half of its time, and returns what it said."""
        child = os.fork()
        if child == 0:
            os.setsid()
            output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.chdir(self.work)
            sys.argv = command
            try:
                importlib.import_module("ansible.cli.playbook").main(command)
            except BaseException as ended:  # however it ends, this process must not run on as its parent would
                os._exit(ended.code if isinstance(ended, SystemExit) and isinstance(ended.code, int) else 1)
            os._exit(0)
        waiting = signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
        signal.alarm(3600)
        os.waitpid(child, 0)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, waiting)
        return log.read_text(errors="replace")

    def answers(self, cases, *options):
        """Runs cases and returns what each answered, by its `id`. One that is missing there has not run."""
        books = [str(self.play(file, [case for case in cases if case["file"] is file], ignore_errors=True))
                 for file in {case["id"][0]: case["file"] for case in cases}.values()]
        self.count += 1
        log = self.work / f"{self.count}.log"
        said = self.playbook(log, ["ansible-playbook", "-i", str(self.work / "inventory.json"), *options, *books])
        told = (json.loads(line) for line in said.splitlines() if line.startswith("{"))
        found = {(answer.pop("play"), answer.pop("task")): answer for answer in told}
        if cases and not found:
            raise Broken(f"ansible-playbook: {said[-3000:]}")
        return found
