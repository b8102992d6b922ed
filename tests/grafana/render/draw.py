"""The picture of the dashboard in README: drawn by Grafana's own components in Chromium, from the answers of a running
status server. It is given the URL of one that knows nothing yet, and gets a fleet with something to see.

    draw.py draw URL PICTURE       draws it
    draw.py check URL PICTURE      says whether it was drawn from the dashboard, the answers and the components of today
    draw.py looks URL DIRECTORY    draws it wide, for a phone, in the dark, empty and without a status server, to be
                                   looked at

Components come from npm, into target/grafana/render (600 MB). To draw needs node, npm and chromium; to check needs none
of them: the picture holds the checksum of what it was drawn from.
"""

import hashlib
import importlib.util
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

import fleet

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
BUILT = ROOT / "target/grafana/render"
DASHBOARD = ROOT / "examples/grafana/dashboards/gitops-status.json"
SOURCES = ["package.json", "package-lock.json", "render.jsx", "page.html"]
WIDTH = 1280


def answers(url):
    command = [sys.executable, HERE.parent / "check.py", "queries", url, "{}", str(fleet.NOW)]
    asked = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {panel["title"]: asked[panel["title"]] for panel in json.loads(DASHBOARD.read_text())["panels"]}


def checksum(asked):
    parts = [(HERE / name).read_bytes() for name in SOURCES]
    parts += [DASHBOARD.read_bytes(), json.dumps([asked, WIDTH], sort_keys=True).encode()]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def build():
    """Bundles the components, unless that is done."""
    wanted = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in SOURCES)).hexdigest()
    done = BUILT / "done"
    if done.exists() and done.read_text() == wanted:
        return
    BUILT.mkdir(parents=True, exist_ok=True)
    known = BUILT / "package-lock.json"
    installed = known.exists() and known.read_bytes() == (HERE / "package-lock.json").read_bytes()
    for name in SOURCES:
        shutil.copy(HERE / name, BUILT)
    if not installed or not (BUILT / "node_modules/.package-lock.json").exists():
        # No package's script is run: the bundler's program comes in a package of its own.
        quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--legacy-peer-deps"]
        subprocess.run(["npm", "ci", "--ignore-scripts", *quiet], cwd=BUILT, check=True, stdout=sys.stderr)
    options = ["--bundle", "--minify", "--outfile=bundle.js", "--jsx=automatic", "--loader:.svg=dataurl",
               "--loader:.ttf=empty", "--log-level=error", '--define:process.env.NODE_ENV="production"',
               "--define:global=window"]
    subprocess.run(["node_modules/.bin/esbuild", "render.jsx", *options], cwd=BUILT, check=True, stdout=sys.stderr)
    done.write_text(wanted)


def browser(directory):
    program = shutil.which("chromium") or shutil.which("google-chrome")
    programs = {"node": shutil.which("node"), "npm": shutil.which("npm"), "chromium": program}
    if missing := [name for name, found in programs.items() if not found]:
        sys.exit(f"{' and '.join(missing)} not found, which draw the dashboard")
    build()
    spec = importlib.util.spec_from_file_location("browser", ROOT / "examples/status-server/tests/browser.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Browser(program, directory)


def draw(asked, picture, width=WIDTH, dark=False):
    """Draws a picture, and gives the texts in it."""
    dashboard = json.loads(DASHBOARD.read_text())
    arguments = ", ".join(json.dumps(value) for value in (dashboard, asked, width, dark, fleet.NOW * 1000))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        chromium = browser(directory)
        try:
            chromium.open((BUILT / "page.html").as_uri())
            drawn = chromium.look(width, 900, dark, f"window.draw({arguments})")
            # Once more in its full height: tables draw only the rows that are seen.
            drawn = chromium.look(width, drawn["height"], dark, f"window.draw({arguments})", picture)
        finally:
            chromium.process.terminate()
            chromium.process.wait()
    return drawn["text"]


def noted(picture):
    """The checksum that a picture holds: a text, after its head of 33 bytes."""
    data = pathlib.Path(picture).read_bytes()
    length, kind = struct.unpack(">I4s", data[33:41])
    return data[41:41 + length].removeprefix(b"Source\0").decode() if kind == b"tEXt" else None


def note(picture, text):
    data, chunk = pathlib.Path(picture).read_bytes(), b"tEXtSource\0" + text.encode()
    part = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    pathlib.Path(picture).write_bytes(data[:33] + part + data[33:])


def main(command, url, target):
    empty = answers(url)
    fleet.post(url)
    asked = answers(url)
    if command == "draw":
        draw(asked, target)
        note(target, checksum(asked))
    elif command == "check":
        if noted(target) != checksum(asked):
            sys.exit(f"{target} was drawn from another dashboard, other answers or other components")
    else:
        directory = pathlib.Path(target)
        directory.mkdir(parents=True, exist_ok=True)
        # Nothing listens on this port.
        down = answers("http://127.0.0.1:9")
        looks = [("wide", asked, 1400, False), ("wide-dark", asked, 1400, True), ("phone", asked, 390, False),
                 ("phone-dark", asked, 390, True), ("empty", empty, 1400, False), ("down", down, 1400, False)]
        for name, rows, width, dark in looks:
            texts = draw(rows, str(directory / f"{name}.png"), width, dark)
            (directory / f"{name}.txt").write_text("\n\n".join(texts) + "\n")


main(*sys.argv[1:])
