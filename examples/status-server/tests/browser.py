"""Looks at a page in a real browser, without a window.

    browser.py URL < LOOKS

LOOKS is a JSON array of objects with `width`, `height`, `dark` (a boolean), `expression` (JavaScript, evaluated in the
page; a promise is waited for) and optionally `screenshot` (a file to write a PNG to). Prints a JSON array with the value
of each expression. Exits 3 where there is no Chromium.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile

OPTIONS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars --allow-file-access-from-files
--remote-debugging-pipe""".split()


class Browser:
    """Chromium, spoken to through two pipes in its own debugging protocol."""

    def __init__(self, program, directory):
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        # The protocol's file descriptors are 3 and 4, whatever ours are.
        command = ["sh", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}', "sh"]
        self.process = subprocess.Popen(
            [*command, program, *OPTIONS, f"--user-data-dir={directory}", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in), os.close(theirs_out)
        self.answers, self.requests = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
        self.number, self.session, self.events = 0, None, []

    def ask(self, method, **parameters):
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        self.requests.write(json.dumps(request).encode() + b"\0")
        self.requests.flush()
        while (answer := self.heard()).get("id") != self.number:
            self.events.append(answer.get("method"))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def heard(self):
        text = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("the browser ended")
            text += byte
        return json.loads(text)

    def open(self, url):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        self.goto(url)

    def goto(self, url):
        self.events.clear()
        self.ask("Page.navigate", url=url)
        while "Page.loadEventFired" not in self.events:
            self.events.append(self.heard().get("method"))

    def look(self, width, height, dark, expression, screenshot=None):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(json.dumps(result["exceptionDetails"]))
        if screenshot:
            picture = self.ask("Page.captureScreenshot", format="png")["data"]
            with open(screenshot, "wb") as file:
                file.write(base64.b64decode(picture))
        return result["result"].get("value")


def main(url):
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        sys.exit(3)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        browser = Browser(program, directory)
        try:
            browser.open(url)
            print(json.dumps([browser.look(**look) for look in json.load(sys.stdin)]))
            browser.session = None
            browser.ask("Browser.close")
        finally:
            browser.process.terminate()
            browser.process.wait()


if __name__ == "__main__":
    main(sys.argv[1])
