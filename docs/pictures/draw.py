"""Draws the log of README, so that it shows what is and not what was.

    draw.py log < LOG               a step's log, with its ANSI colours

The SVG goes to stdout. `RECORD=pictures tests/run.sh --test it` draws them anew from the real program;
without RECORD the same test fails where it is not what would be drawn.
"""

import re
import sys
import textwrap
from xml.sax.saxutils import escape

ANSI = {"1": "bold", "31": "red", "32": "green", "33": "yellow", "36": "cyan"}
STYLE = {"bold": "#ffffff", "red": "#ff7b72", "green": "#7ee787", "yellow": "#e3b341", "cyan": "#79c0ff", "": "#c9d1d9"}
MONO = 'font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13"'


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


if sys.argv[1:] == ["log"]:
    log(sys.stdin.read().splitlines())
else:
    sys.exit(__doc__)
