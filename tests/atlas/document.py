#!/usr/bin/env python3
"""Writes docs/check-mode.md from the observations under results/; with --check, says whether it is up to date."""
import json
import pathlib
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "check-mode.md"
INTRODUCTION = (HERE / "introduction.md").read_text()
LEADING = "2.19"


def sentence(answer):
    return {"ok": "yes", "changed": "**says changed**", "skipped": "*skipped*", "failed": "*fails*"}[answer]


def kind(change):
    """`managed`, `outside` (the task does not speak of it) or `limit` (the module looks at it in no mode)."""
    return next((word for word in ("outside", "limit") if isinstance(change, dict) and change.get(word)), "managed")


class Case:
    """One case of a module on one ansible-core: what its answers mean."""

    def __init__(self, observed):
        self.clean = observed["clean"]["answer"]
        self.sees, self.misses, self.outside, self.diffless = [], [], [], []
        for label, told in observed["changes"].items():
            if told["answer"] == "changed" and self.clean != "changed":
                self.sees.append(label)
                if told["diff"] not in ("differs", "text"):
                    self.diffless.append(label)
            elif told["answer"] == "failed":
                self.sees.append(f"{label} (*fails*)")
            elif told["kind"] != "managed":
                self.outside.append(label)
            else:
                self.misses.append(label + (" †" if told.get("applied") == "changed" and self.clean == "ok" else ""))

    def row(self):
        sees = ", ".join(self.sees)
        if self.sees and len(self.diffless) == len(self.sees):
            sees += " (no diff)"
        elif self.diffless:
            sees += f" (no diff: {', '.join(self.diffless)})"
        return [sentence(self.clean), sees, ", ".join(self.misses), ", ".join(self.outside)]


def short(args):
    """The arguments of a case on one line."""
    text = json.dumps(args, ensure_ascii=False).replace("{{ here }}/", "").replace("{{ here }}", ".")
    words = yaml.safe_dump(json.loads(text), default_flow_style=True, width=10000, sort_keys=False, allow_unicode=True).strip()
    words = words.strip("{}")
    return words if len(words) <= 150 else words[:149] + "…"


def files():
    """All files of modules/, by name."""
    return {path.stem: yaml.safe_load(path.read_text()) for path in sorted((HERE / "modules").glob("*.yml"))}


def observed():
    """All observations: {version: {file: {"cases": ..}}}."""
    return {folder.name: {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
            for folder in sorted((HERE / "results").iterdir(), key=lambda folder: [int(part) for part in folder.name.split(".")])}


def label():
    """Notes with each observed change whether the task manages it, as its file of modules/ says; drops what is gone there."""
    cases = {name: {case["about"]: case.get("changes") or {} for case in file["cases"]} for name, file in files().items()}
    for version, found in observed().items():
        for name, told in found.items():
            told["cases"] = {about: case for about, case in told["cases"].items() if about in cases[name]}
            for about, case in told["cases"].items():
                case["changes"] = {change: answer | {"kind": kind(cases[name][about][change])}
                                   for change, answer in case["changes"].items() if change in cases[name][about]}
            (HERE / "results" / version / f"{name}.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def page():
    seen = observed()
    rows, cases, experiments, modules, wrote, differing = [], 0, 0, set(), [], []
    for name, file in files().items():
        for case in file["cases"]:
            found = {version: told[name]["cases"][case["about"]] for version, told in seen.items()
                     if case["about"] in told.get(name, {}).get("cases", {})}
            if not found:
                continue
            module = case.get("module", file.get("module"))
            modules.add(module)
            cases += 1
            experiments += sum(1 + len(one["changes"]) for one in found.values())
            told = {version: Case(one).row() for version, one in found.items()}
            alike = {}
            for version, row in told.items():
                alike.setdefault(json.dumps(row), []).append(version)
            for row, versions in sorted(alike.items(), key=lambda item: LEADING not in item[1]):
                rows.append([module, f"`{short(next(iter(found.values()))['args'])}`", *json.loads(row), " ".join(sorted(versions, key=lambda v: v.split(".")))])
            if len(alike) > 1:
                differing.append(f"`{module}`: {case['about']}")
        for version, told in seen.items():
            paths = [path for path in told.get(name, {}).get("wrote", []) if path != "/"]
            if paths:
                wrote.append(f"- `{file.get('module', name)}` ({version}): {', '.join(f'`{path}`' for path in paths)}")
    rows.sort(key=lambda row: row[0])
    lines = [INTRODUCTION.format(modules=len(modules), cases=cases, experiments=experiments, versions=", ".join(seen)).rstrip("\n"), ""]
    lines.append("| module | arguments | clean | sees | misses | does not look at | ansible-core |\n|---|---|---|---|---|---|---|")
    lines += ["| " + " | ".join(cell(part) for part in row) + " |" for row in rows]
    if differing:
        lines += ["", "## Where ansible-cores differ", "", *(f"- {one}" for one in sorted(set(differing)))]
    if wrote:
        lines += ["", "## What check mode itself wrote", "", *sorted(set(wrote))]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--check" not in sys.argv[1:]:
        label()
    wanted = page()
    if "--check" in sys.argv[1:]:
        sys.exit(None if PAGE.exists() and PAGE.read_text() == wanted else f"{PAGE} is out of date: run tests/atlas/document.py")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(wanted)
