#!/usr/bin/env python3
"""Runs the experiments of the check-mode atlas: what modules answer in check mode on a target that was changed by hand.

For each file of modules/: prepare, check, apply, check; then change one thing by hand, check, apply, and so on. Every run is
a plain `ansible-playbook`, the checks with --check --diff, on a target that is a box (see box.sh) or, with --scratch, a
directory of this machine that nothing else uses. run.sh brings what this needs; the README beside it tells the form of a file.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import time

import yaml

import plugin
from runs import Ansible, Broken

HERE = pathlib.Path(__file__).resolve().parent
# Where programs write whatever is asked of them, or by themselves.
NOISE = ["/tmp", "/var/tmp", "/var/log", "/root/.ansible", "/var/lib/mysql", "/var/lib/postgresql", "/var/lib/systemd",
         "/root/.cache", "/var/lib/monit", "/var/lib/redis"]


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
            subprocess.run([HERE / "box.sh", "up", self.directory, self.base], check=True, timeout=600)
        return self

    def __exit__(self, *_):
        if self.scratch:
            shutil.rmtree(self.directory, ignore_errors=True)
        else:
            subprocess.run([HERE / "box.sh", "down", self.directory], check=True, timeout=600)

    def run(self, script, here):
        script = f"mkdir -p {here} && cd {here} && here={here} && set -e\n{script}"
        done = subprocess.run([HERE / "enter", self.directory, script], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace", timeout=1200)
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


def read(path, version, scratch, root):
    """One file of modules/, with each case complete and each change a mapping."""
    file = yaml.safe_load(path.read_text())
    file["name"] = path.stem
    file["here"] = root + path.stem
    file["broken"], file["wrote"] = [], set()
    cases = []
    for case in file["cases"]:
        case.setdefault("module", file.get("module"))
        case.setdefault("args", {})
        case["file"], case["id"] = file, (file["name"], case["about"])
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


class Experiments:
    """The experiments of some files, carried out together: one box, and one run of ansible-playbook for each step."""

    def __init__(self, files, target, ansible, checker, brief):
        self.files, self.target, self.ansible, self.checker, self.brief = files, target, ansible, checker, brief
        self.cases = [case for file in files for case in file["cases"]]

    def run(self):
        for file in self.files:
            here = file["here"]
            if not self.attempt(file, "prepare", f"rm -rf {here}; mkdir -p {here}; cd {here}\n{file.get('prepare', '')}"):
                self.drop(file["cases"])
        bare = {} if self.brief else self.watched()
        applied = self.ask(self.cases)
        for case in list(self.cases):
            if applied[case["id"]]["answer"] in ("failed", "unreachable") and not case.get("fails"):
                case["file"]["broken"].append(f"`{case['about']}` cannot be applied: {applied[case['id']]}")
                self.drop([case])
        clean = self.check(self.cases) if self.brief else self.watched()
        for case in self.cases:
            case["seen"] = {"module": case["module"], "args": case["args"], "applied": applied[case["id"]]["answer"],
                            "clean": clean[case["id"]], "changes": {}}
            if not self.brief:
                case["seen"]["bare"] = bare[case["id"]]
            self.checker.judge(case, None)
        for file in self.files:
            if self.copied(file):
                self.attempt(file, "keep", f"rm -rf ../.kept-{file['name']} && cp -a . ../.kept-{file['name']}")
        for turn in range(max((len(case["changes"]) for case in self.cases), default=0)):
            self.turn([(case, *list(case["changes"].items())[turn]) for case in self.cases if len(case["changes"]) > turn])
        if not self.brief and any(case["changes"] for case in self.cases):
            for case_id, answer in self.check(self.cases).items():
                case = next(case for case in self.cases if case["id"] == case_id)
                if answer["answer"] != clean[case_id]["answer"]:
                    case["file"]["broken"].append(f"`{case['about']}` answers {answer} after all changes were undone")

    def turn(self, turns):
        """One change by hand for each case, seen together and undone together."""
        done = [(case, label, change) for case, label, change in turns
                if case in self.cases and self.attempt(case["file"], f"`{case['about']}`, {label}", change["do"])]
        answers = self.check([case for case, _, _ in done])
        for case, label, _ in done:
            if case["id"] in answers:
                case["seen"]["changes"][label] = answers[case["id"]]
                self.checker.judge(case, label)
        for file in self.files:
            if self.copied(file):
                self.attempt(file, "put back", f"find . -mindepth 1 -delete && cp -a ../.kept-{file['name']}/. .")
        left = [(case, label, change) for case, label, change in done if not self.copied(case["file"])]
        repaired = self.ask([case for case, _, _ in left])
        for case, label, change in left:
            if case["id"] in repaired:
                case["seen"]["changes"].get(label, {})["applied"] = repaired[case["id"]]["answer"]
            self.attempt(case["file"], f"`{case['about']}`, {label}, undo", change.get("undo", ""))

    def copied(self, file):
        """Whether a copy of its directory puts right what was changed, quicker than applying its tasks does."""
        return self.brief and (file.get("scratch") or file.get("below"))

    def check(self, cases):
        """What cases answer in check mode."""
        return self.ask(cases, "--check", "--diff")

    def watched(self):
        """The same for all; of a single file, what is written meanwhile is remembered: check mode should write nothing."""
        file = self.files[0]
        self.target.mark(file["here"])
        answers = self.check(self.cases)
        if len(self.files) == 1:
            file["wrote"].update(self.target.written(file["here"]))
        return answers

    def ask(self, cases, *options):
        """What cases answer, by their ids; cases that did not run are dropped."""
        answers = self.ansible.answers(cases, *options) if cases else {}
        silent = [case for case in cases if case["id"] not in answers]
        for case in silent:
            case["file"]["broken"].append(f"`{case['about']}` did not run")
        self.drop(silent)
        return answers

    def drop(self, cases):
        self.cases = [case for case in self.cases if case not in cases]

    def attempt(self, file, what, script):
        """Runs shell lines in the target; says whether they worked, and remembers it if not."""
        try:
            self.target.run(script, file["here"])
        except (Broken, subprocess.TimeoutExpired) as broken:
            file["broken"].append(f"{what}: {broken}")
            return False
        return True


def surprises(file, version):
    """Where an answer is not the expected one: lines for people."""
    for case in (case for case in file["cases"] if "seen" in case):
        about, told = case["about"], case["seen"]
        expected = wanted(case.get("clean", "ok"), version)
        if told["clean"]["answer"] != expected:
            yield f"{file['name']}: `{about}`, clean: expected {expected}, answered {told['clean']}"
        for label, change in case["changes"].items():
            expected = wanted(change["answer"], version)
            if label in told["changes"] and told["changes"][label]["answer"] != expected:
                yield f"{file['name']}: `{about}`, {label}: expected {expected}, answered {told['changes'][label]}"


def record(file, seen, results):
    """Writes what was observed of a file."""
    # A directory stands for what is in it.
    wrote = sorted(path for path in file["wrote"] if not file["wrote"] & set(map(str, pathlib.Path(path).parents)))
    results.mkdir(parents=True, exist_ok=True)
    observed = {"cases": seen} | ({"wrote": wrote} if wrote else {})
    (results / f"{file['name']}.json").write_text(json.dumps(observed, indent=1, ensure_ascii=False) + "\n")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--version", required=True, help="the ansible-core that runs this, such as 2.19")
    options.add_argument("--work", required=True, type=pathlib.Path, help="a directory for playbooks and logs")
    options.add_argument("--base", type=pathlib.Path, help="the file tree of boxes [none: the target is a directory]")
    options.add_argument("--collections", default="/nowhere", help="a directory that holds ansible_collections")
    options.add_argument("--brief", action="store_true", help="leave out what only tells of real runs: quicker")
    options.add_argument("--together", type=int, default=1, help="how many files share a box and runs: quicker [1]")
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
    files = files[number - 1::parts]
    for some in (files[start:start + chosen.together] for start in range(0, len(files), chosen.together)):
        begun = time.monotonic()
        try:
            with target:
                Experiments(some, target, ansible, checker, chosen.brief).run()
        except Broken as broken:
            some[0]["broken"].append(str(broken))
        for file in some:
            lines = list(surprises(file, chosen.version)) + [f"{file['name']}: {broken}" for broken in file["broken"]]
            seen = {case["about"]: case["seen"] for case in file["cases"] if "seen" in case}
            asked = sum(1 + len(case["changes"]) for case in seen.values())
            passed += max(asked - len(lines), 0)
            failed += len(lines)
            for line in lines:
                print("FAIL", line, flush=True)
            print(f"{file['name']}: {asked} answers", flush=True)
            if chosen.results and seen:
                record(file, seen, chosen.results)
        wrong = checker.told()
        failed += len(wrong)
        for line in wrong:
            print("FAIL", line, flush=True)
        print(f"{time.monotonic() - begun:.0f} s", flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
