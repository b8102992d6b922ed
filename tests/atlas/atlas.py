#!/usr/bin/env python3
"""Runs the experiments of the check-mode atlas: what modules answer in check mode on a target that was changed by hand.

For each file of modules/: prepare, check, apply, check; then change one thing by hand, check, apply, and so on. Every run is
a plain `ansible-playbook`, the checks with --check --diff, on a target that is a box (see box.sh) or, with --scratch, a
directory of this machine that nothing else uses. run.sh brings what this needs; the README beside it tells the form of a file.
"""
import argparse
import importlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import yaml

import plugin

HERE = pathlib.Path(__file__).resolve().parent
# Where programs write whatever is asked of them, or by themselves.
NOISE = ["/tmp", "/var/tmp", "/var/log", "/root/.ansible", "/var/lib/mysql", "/var/lib/postgresql", "/var/lib/systemd",
         "/root/.cache", "/var/lib/monit", "/var/lib/redis"]


class Broken(Exception):
    """An experiment that could not be carried out: nothing is known of what it asks."""


class Target:
    """The machine that the experiments change: a box, or a directory of this machine."""

    def __init__(self, directory, base):
        self.directory, self.base, self.scratch = directory, base, base is None
        self.root = f"{directory}/experiments/" if self.scratch else "/srv/atlas/"

    def __enter__(self):
        """Starts it anew: nothing of an earlier experiment is left."""
        if self.scratch:
            self.directory.mkdir(parents=True, exist_ok=True)
        else:
            subprocess.run([HERE / "box.sh", "up", self.directory, self.base], check=True, timeout=120)
        return self

    def __exit__(self, *_):
        if self.scratch:
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            subprocess.run([HERE / "box.sh", "down", self.directory], check=True, timeout=60)

    def run(self, script, here):
        script = f"mkdir -p {here} && cd {here} && here={here} && set -e\n{script}"
        done = subprocess.run([HERE / "enter", self.directory, script], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", timeout=300)
        if done.returncode:
            raise Broken(f"the shell lines\n{script}\nexited {done.returncode}: {done.stdout[-1500:]}")
        return done.stdout

    def mark(self, here):
        """Starts to look for files that are written from here on."""
        self.run('touch "${here%/*}/.mark"', here)

    def written(self, here):
        """The files that were written since, without those that are written at all times."""
        where = here if self.scratch else "/"
        pruned = " -o ".join(f"-path {path}" for path in ([] if self.scratch else NOISE))
        pruned = f"\\( {pruned} \\) -prune -o" if pruned else ""
        return self.run(f'find {where} -xdev {pruned} -cnewer "${{here%/*}}/.mark" ! -path "*__pycache__*" '
                        '! -path /root ! -path / ! -path "*/.mark" -print', here).split("\n")[:-1]


class Ansible:
    """Runs playbooks against a target, and tells what their tasks answered."""

    def __init__(self, target, work, collections):
        self.target, self.work = target, work
        inventory = {"all": {"hosts": {"target": {
            "ansible_host": str(target.directory), "ansible_connection": "ssh", "ansible_ssh_executable": str(HERE / "enter"),
            "ansible_ssh_transfer_method": "piped", "ansible_pipelining": True,
            "ansible_python_interpreter": sys.executable if target.scratch else "/usr/bin/python3"}}}}
        (work / "inventory.json").write_text(json.dumps(inventory))
        (work / "ansible.cfg").touch()
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
        play = {"hosts": "target", "gather_facts": False, "vars": {"here": file["here"]}, "tasks": tasks}
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
        signal.alarm(900)
        os.waitpid(child, 0)
        signal.alarm(0)
        signal.signal(signal.SIGALRM, waiting)
        return log.read_text(errors="replace")

    def answers(self, file, cases, *options):
        """Runs cases of a file and returns what each answered, by its name."""
        book = self.play(file, cases, ignore_errors=True)
        self.count += 1
        log = self.work / f"{file['name']}.{self.count}.log"
        said = self.playbook(log, ["ansible-playbook", "-i", str(self.work / "inventory.json"), *options, str(book)])
        found = {}
        for line in said.splitlines():
            if line.startswith("{"):
                told = json.loads(line)
                found[told.pop("task")] = told
        missing = [case["about"] for case in cases if case["about"] not in found]
        if missing:
            raise Broken(f"no answer of {missing}: {said[-3000:]}")
        return found


def read(path, version, scratch, root):
    """One file of modules/, with each case complete and each change a mapping."""
    file = yaml.safe_load(path.read_text())
    file["name"] = path.stem
    file["here"] = root + path.stem
    cases = []
    for case in file["cases"]:
        case.setdefault("module", file.get("module"))
        case.setdefault("args", {})
        changes = {}
        for label, change in (case.get("changes") or {}).items():
            change = {"do": change} if isinstance(change, str) else change
            change.setdefault("answer", "changed")
            if version not in change.get("not_on", []) and not (scratch and change.get("root")):
                changes[label] = change
        case["changes"] = changes
        if version not in case.get("not_on", []) and not (scratch and case.get("root")):
            cases.append(case)
    file["cases"] = cases
    return file


def wanted(expected, version):
    """An expected answer: a word, or a word for each version with `else` for all others."""
    return expected.get(version, expected.get("else")) if isinstance(expected, dict) else expected


class Experiment:
    """All experiments of one file, on one target."""

    def __init__(self, file, target, ansible, checker, brief):
        self.file, self.target, self.ansible, self.checker, self.brief = file, target, ansible, checker, brief
        self.here, self.cases = file["here"], file["cases"]
        self.seen = {case["about"]: {"module": case["module"], "args": case["args"], "changes": {}} for case in self.cases}
        self.wrote, self.broken = set(), []

    def check(self, cases):
        """What cases answer in check mode. What is written meanwhile is remembered."""
        self.target.mark(self.here)
        answers = self.ansible.answers(self.file, cases, "--check", "--diff")
        self.wrote.update(self.target.written(self.here))
        return answers

    def run(self):
        self.target.run(f"rm -rf {self.here}; mkdir -p {self.here}; cd {self.here}\n{self.file.get('prepare', '')}", self.here)
        bare = {} if self.brief else self.check(self.cases)
        applied = self.ansible.answers(self.file, self.cases)
        self.target.run(self.file.get("settle", ""), self.here)
        clean = self.check(self.cases)
        for case in list(self.cases):
            about, seen = case["about"], self.seen[case["about"]]
            if applied[about]["answer"] in ("failed", "unreachable") and not case.get("fails"):
                self.broken.append(f"`{about}` cannot be applied: {applied[about]}")
                self.cases.remove(case)
                del self.seen[about]
                continue
            seen |= {"applied": applied[about]["answer"], "clean": clean[about]}
            if not self.brief:
                seen["bare"] = bare[about]
            self.checker.judge(self.file, case, None)
        if self.brief and self.file.get("scratch"):
            self.target.run("rm -rf ../.kept && cp -a . ../.kept", self.here)
        for turn in range(max((len(case["changes"]) for case in self.cases), default=0)):
            self.turn([(case, *list(case["changes"].items())[turn]) for case in self.cases if len(case["changes"]) > turn])
        if not self.brief and any(case["changes"] for case in self.cases):
            for about, answer in self.check(self.cases).items():
                if answer["answer"] != clean[about]["answer"]:
                    self.broken.append(f"`{about}` answers {answer} after all changes were undone")

    def turn(self, turns):
        """One change by hand for each case, seen together and undone together."""
        done = []
        for case, label, change in turns:
            try:
                self.target.run(change["do"], self.here)
                done.append((case, label, change))
            except Broken as broken:
                self.broken.append(f"`{case['about']}`, {label}: {broken}")
        cases = [case for case, _, _ in done]
        answers = self.check(cases)
        for case, label, _ in done:
            self.seen[case["about"]]["changes"][label] = answers[case["about"]]
            self.checker.judge(self.file, case, label)
        if self.brief and self.file.get("scratch"):
            self.target.run("find . -mindepth 1 -delete && cp -a ../.kept/. .", self.here)
            return
        repaired = self.ansible.answers(self.file, cases)
        for case, label, change in done:
            self.seen[case["about"]]["changes"][label]["applied"] = repaired[case["about"]]["answer"]
            self.target.run(change.get("undo", ""), self.here)


def surprises(file, seen, version):
    """Where an answer is not the expected one: lines for people."""
    for case in file["cases"]:
        about, told = case["about"], seen[case["about"]]
        expected = wanted(case.get("clean", "ok"), version)
        if told["clean"]["answer"] != expected:
            yield f"{file['name']}: `{about}`, clean: expected {expected}, answered {told['clean']}"
        for label, change in case["changes"].items():
            expected = wanted(change["answer"], version)
            if label in told["changes"] and told["changes"][label]["answer"] != expected:
                yield f"{file['name']}: `{about}`, {label}: expected {expected}, answered {told['changes'][label]}"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--version", required=True, help="the ansible-core that runs this, such as 2.19")
    options.add_argument("--work", required=True, type=pathlib.Path, help="a directory for playbooks and logs")
    options.add_argument("--base", type=pathlib.Path, help="the file tree of boxes [none: the target is a directory]")
    options.add_argument("--collections", default="/nowhere", help="a directory that holds ansible_collections")
    options.add_argument("--brief", action="store_true", help="leave out what only tells of real runs: quicker")
    options.add_argument("--part", default="1/1", help="N/M: every M-th file, beginning with the N-th")
    options.add_argument("--results", type=pathlib.Path, help="the directory of observations to bring up to date")
    options.add_argument("--plugin", help="also run this plugin-gitops-status on each playbook, and judge its status")
    options.add_argument("modules", nargs="*", help="the files of modules/ to run, without .yml [all]")
    chosen = options.parse_args()
    number, parts = map(int, chosen.part.split("/"))
    work = chosen.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    target = Target(work / "target", chosen.base)
    files = [read(path, chosen.version, target.scratch, target.root)
             for path in sorted((HERE / "modules").glob("*.yml"))]
    unknown = set(chosen.modules) - {file["name"] for file in files}
    if unknown:
        sys.exit(f"no such file in modules/: {', '.join(sorted(unknown))}")
    files = [file for file in files if (not chosen.modules or file["name"] in chosen.modules) and file["cases"]
             and (not target.scratch or file.get("scratch")) and chosen.version not in file.get("not_on", [])]
    ansible = Ansible(target, work, chosen.collections)
    checker = plugin.Checker(chosen.plugin, ansible) if chosen.plugin else plugin.NoChecker()
    passed, failed = 0, 0
    for file in files[number - 1::parts]:
        begun = time.monotonic()
        try:
            with target:
                experiment = Experiment(file, target, ansible, checker, chosen.brief)
                experiment.run()
        except (Broken, subprocess.TimeoutExpired) as broken:
            failed += 1
            print(f"BROKEN {file['name']}: {broken}", flush=True)
            continue
        seen, wrote = experiment.seen, sorted(experiment.wrote)
        lines = list(surprises(file, seen, chosen.version)) + checker.told()
        lines += [f"{file['name']}: {broken}" for broken in experiment.broken]
        asked = sum(1 + len(case["changes"]) for case in seen.values())
        passed += max(asked - len(lines), 0)
        failed += len(lines)
        for line in lines:
            print("FAIL", line, flush=True)
        print(f"{file['name']}: {asked} answers, {time.monotonic() - begun:.0f} s", flush=True)
        if chosen.results:
            chosen.results.mkdir(parents=True, exist_ok=True)
            observed = {"cases": seen} | ({"wrote": wrote} if wrote else {})
            (chosen.results / f"{file['name']}.json").write_text(json.dumps(observed, indent=1, ensure_ascii=False) + "\n")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
