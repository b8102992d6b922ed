"""Draws the pictures of README, so that they show what is and not what was.

    draw.py log < LOG               a step's log, with its ANSI colours
    draw.py dashboard < ANSWERS     Grafana's dashboard with these answers: {title: [row, ...]} as JSON

The SVG goes to stdout. `RECORD=pictures tests/run.sh --test it` draws them anew from the real program;
without RECORD the same tests fail where a picture is not what would be drawn.
"""

import json
import pathlib
import re
import sys
import textwrap
from xml.sax.saxutils import escape

DASHBOARD = pathlib.Path(__file__).parents[2] / "examples/grafana/dashboards/gitops-status.json"
COLOURS = {"green": "#56a64b", "red": "#e02f44", "orange": "#ff780a", "purple": "#a352cc", "text": "#2b2e3b"}
ANSI = {"1": "bold", "31": "red", "32": "green", "33": "yellow", "36": "cyan"}
STYLE = {"bold": "#ffffff", "red": "#ff7b72", "green": "#7ee787", "yellow": "#e3b341", "cyan": "#79c0ff", "": "#c9d1d9"}
MONO = 'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13"'
SANS = 'font-family="Inter, Helvetica, Arial, sans-serif"'


def svg(width, height, background, parts):
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    box = f'<rect width="{width}" height="{height}" rx="6" fill="{background}"/>'
    print("\n".join([head, box, *parts, "</svg>"]))


def text(x, y, words, fill, extra):
    return f'<text x="{x}" y="{y}" fill="{fill}" xml:space="preserve" {extra}>{escape(words)}</text>'


def log(lines, columns=112):
    parts, y = [], 26
    for line in lines:
        codes = re.findall(r"\x1b\[([\d;]+)m", line)
        style = next((ANSI[code] for code in ";".join(codes).split(";") if code in ANSI), "")
        plain = re.sub(r"\x1b\[[\d;]*m", "", line)
        indent = len(plain) - len(plain.lstrip())
        for piece in textwrap.wrap(plain, columns, subsequent_indent=" " * (indent + 2), drop_whitespace=False) or [""]:
            weight = ' font-weight="bold"' if style == "bold" else ""
            parts.append(text(16, y, piece, STYLE[style], MONO + weight))
            y += 19
    svg(columns * 8 + 32, y, "#0d1117", parts)


def dashboard(answers):
    model = json.loads(DASHBOARD.read_text())
    unit, parts, bottom = 42, [], 0
    for panel in model["panels"]:
        grid = panel["gridPos"]
        x, y, w, h = (grid[key] * unit * scale for key, scale in (("x", 1), ("y", 0.62), ("w", 1), ("h", 0.62)))
        bottom = max(bottom, y + h)
        draw = stat if panel["type"] == "stat" else table
        parts += draw(panel, answers[panel["title"]], round(x) + 8, round(y) + 8, round(w) - 8, round(h) - 8)
    svg(24 * unit + 8, round(bottom) + 8, "#f4f5f5", parts)


def frame(panel, x, y, w, h, fill="#ffffff", ink="#24292e"):
    yield f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="3" fill="{fill}" stroke="#d9dadc"/>'
    yield text(x + 10, y + 20, panel["title"], ink, SANS + ' font-size="13" font-weight="600"')


def stat(panel, rows, x, y, w, h):
    (value,) = rows[0].values()
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    colour = [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
    yield from frame(panel, x, y, w, h, COLOURS[colour], "#ffffff")
    yield text(x + w // 2, y + h - 22, str(value), "#ffffff", SANS + ' font-size="38" text-anchor="middle"')


def table(panel, rows, x, y, w, h):
    yield from frame(panel, x, y, w, h)
    defaults = panel["fieldConfig"]["defaults"]
    overrides = {o["matcher"]["options"]: {p["id"]: p["value"] for p in o["properties"]} for o in panel["fieldConfig"]["overrides"]}
    columns = [column["text"] for target in panel["targets"] for column in target["columns"]]
    fixed = {name: overrides.get(name, {}).get("custom.width") for name in columns}
    rest = (w - 20 - sum(filter(None, fixed.values()))) / max(1, sum(1 for width in fixed.values() if not width))
    if not rows:
        yield text(x + w // 2, y + h // 2, defaults["noValue"], "#6a6d75", SANS + ' font-size="12" text-anchor="middle"')
        return
    left = x + 10
    for name in columns:
        width, options = fixed[name] or rest, overrides.get(name, {})
        yield text(round(left), y + 46, name, "#1f62e0", SANS + ' font-size="12" font-weight="600"')
        for index, row in enumerate(rows):
            top, value = y + 54 + index * 24, row[name]
            ink = "#24292e"
            for mapping in options.get("mappings", []):
                if value in mapping["options"]:
                    fill, ink = COLOURS[mapping["options"][value]["color"]], "#ffffff"
                    yield f'<rect x="{round(left) - 4}" y="{top}" width="{round(width) - 8}" height="22" fill="{fill}"/>'
            yield text(round(left), top + 16, shown(value, options.get("unit")), ink, SANS + ' font-size="12"')
        left += width


def shown(value, unit):
    if unit == "dateTimeFromNow":
        return value
    if unit == "dtdurations":
        return f"{round(value / 60)} minutes" if value < 7200 else f"{round(value / 3600)} hours"
    return str(value)


if sys.argv[1:] == ["log"]:
    log(sys.stdin.read().splitlines())
elif sys.argv[1:] == ["dashboard"]:
    dashboard(json.load(sys.stdin))
else:
    sys.exit(__doc__)
