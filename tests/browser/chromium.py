"""Chromium without a window, driven by its DevTools protocol over a pipe of its own. Only Python's standard library."""
import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
ANSWER_SECONDS = 120
PATIENCE_SECONDS = 60
CLOSE_SECONDS = 60
# What is noted of requests to a server that is not there, or only just.
AWAY = r"net::ERR_|status of 503"
# What the protocol says of a page that is being left.
LEFT = ("navigated", "was destroyed", "was collected")
# Twice a frame, and what waits for its end: a change is drawn, and its effects are carried out after that. A tab in the background has no frames.
SETTLED = """Promise.race([new Promise((done) => setTimeout(done, 250)), (async () => {
  for (let i = 0; i < 2; i++) await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
})()]).then(() => true)"""


def find():
    return next((path for path in map(shutil.which, NAMES) if path), None)


def folder_of_own():
    """A new profile's folder, named by this process. Those of processes that are gone, which could not clear them away, are removed."""
    parent = os.environ.get("TMPDIR") or "/var/tmp"
    for name in os.listdir(parent):
        owner = re.match(r"filigree-chromium-(\d+)-", name)
        if owner and not os.path.exists(f"/proc/{owner[1]}"):
            shutil.rmtree(os.path.join(parent, name), ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"filigree-chromium-{os.getpid()}-", dir=parent)


class Browser:
    """One page. What its console and its policy complain of is gathered in `complaints`."""

    def __init__(self, binary, flags=()):
        self.folder = folder_of_own()
        to_read, self.to = os.pipe()
        self.of, to_write = os.pipe()

        def place():  # the protocol's two descriptors are 3 and 4
            low, high = os.dup2(to_read, 103), os.dup2(to_write, 104)
            os.dup2(low, 3)
            os.dup2(high, 4)

        command = [binary, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                   "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
                   "--hide-scrollbars", "--lang=en-US", "--force-color-profile=srgb", f"--user-data-dir={self.folder}", *flags, "about:blank"]
        self.process = subprocess.Popen(command, preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.rest = b""
        self.number = 0
        self.complaints = []
        self.forgiven = []
        self.hosts = set()
        self.session = None
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def tab(self, url, script=""):
        """Opens the address in a page of its own, which is looked at too, where script runs first; gives back what on() takes."""
        target = self.browser_call("Target.createTarget", url="about:blank", newWindow=True)["targetId"]
        session = self.browser_call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        with self.on(session):
            for method in ("Page.enable", "Runtime.enable"):
                self.call(method)
            self.call("Emulation.setFocusEmulationEnabled", enabled=True)
            self.call("Page.addScriptToEvaluateOnNewDocument", source=script)
            self.call("Page.navigate", url=url)
        return session

    def browser_call(self, method, **params):
        with self.on(None):
            return self.call(method, **params)

    @contextlib.contextmanager
    def on(self, session):
        """What is asked meanwhile is asked of that page."""
        before, self.session = self.session, session
        try:
            yield
        finally:
            self.session = before

    def close(self):
        """Its helpers (GPU, network, pages) write into the folder until they have noticed that it is gone."""
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        os.close(self.of)
        end = time.monotonic() + CLOSE_SECONDS
        while os.path.exists(self.folder) and time.monotonic() < end:
            shutil.rmtree(self.folder, ignore_errors=True)
            time.sleep(0.02)

    def read(self):
        while b"\0" not in self.rest:
            part = os.read(self.of, 1 << 16)
            if not part:
                raise AssertionError("chromium ended")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        end = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < end:
            answer = self.read()
            self.note(answer)
            if answer.get("id") == self.number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
        raise AssertionError(f"{method}: no answer in {ANSWER_SECONDS} s")

    def forgive(self, pattern):
        """What fits is no complaint, from now on: Chromium notes a request that was refused, and when it does is its own affair."""
        self.forgiven.append(re.compile(pattern))

    def complain(self, text):
        if not any(one.search(text) for one in self.forgiven):
            self.complaints.append(text)

    def note(self, event):
        method, params = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complain(params["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complain(str([one.get("value", one.get("description")) for one in params["args"]]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complain(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if url.startswith("http"):
                self.hosts.add(url.split("/")[2])

    def size(self, width, height, theme="light"):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 720)
        # Without motion: a colour that is on its way to another is nobody's contrast.
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme},
                                                          {"name": "prefers-reduced-motion", "value": "reduce"}])

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'", "the document is there")

    def reload(self):
        self.run("window.isOld = true")
        self.call("Page.reload")
        self.wait("!window.isOld && document.readyState === 'complete'", "the document is there again")

    def run(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    def holds(self, expression):
        """Whether it is true; not on a page that is just being left."""
        try:
            return self.run(expression)
        except AssertionError as error:
            if not any(words in str(error) for words in LEFT):
                raise
            return False

    def wait(self, expression, what, seconds=PATIENCE_SECONDS):
        """Until it is true, and the page has done what it does because of it: what is clicked next is clicked on what is shown."""
        end = time.monotonic() + seconds
        while not self.holds(expression):
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}; the page says: {self.text()[:1500]}")
            time.sleep(0.05)
        self.holds(SETTLED)

    def wait_text(self, text, seconds=PATIENCE_SECONDS):
        self.wait(f"document.body?.innerText.includes({json.dumps(text)})", f"the page says {text!r}", seconds)

    def text(self):
        return self.run("document.body?.innerText") or ""

    def click(self, selector):
        found = self.run(f"(() => {{ const at = document.querySelector({json.dumps(selector)}); if (!at) return false; at.click(); return true }})()")
        assert found, f"nothing to click: {selector}"

    def key(self, key, code=0):
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def type(self, text):
        for one in text:
            self.key(one)

    def picture(self, path):
        """As the name's end says: .png whole, .webp small."""
        kind = {"format": "webp", "quality": 80} if path.endswith(".webp") else {"format": "png"}
        data = self.call("Page.captureScreenshot", **kind)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
