"""What each test of the pages stands on: one Chromium over one server, opened when the first case asks for it.

Cases are skipped by name where Chromium is not installed, or where the server was built without the pages. With PICTURES=FOLDER in the
environment pages are also pictured: 1440 and 390 px wide, light and dark.
"""
import json
import os
import re
import time

import axe
import chromium
from harness import Skip

PICTURES = os.environ.get("PICTURES")
FORMAT = "png"
SIZES = ((1440, 900), (390, 844))
THEMES = ("light", "dark")


def routes():
    """What the router of the pages asks of an address, in its order."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ui", "src", "main.tsx")
    with open(source, encoding="utf-8") as text:
        body = re.search(r"^function Page\(.*?^}", text.read(), re.M | re.S).group(0)
    lines = re.findall(r"^  if \((.*)\) return ", body, re.M)
    found = [re.match(r"path(?: === |\.startsWith\()'([^']*)'", line) for line in lines]
    assert found and all(found), f"the router has a line that this test can't read: {lines}"
    return [one.group(1) for one in found]


class Stage:
    """prepare, where it is given, is called once, when the server runs and before the browser opens: to send spans."""

    def __init__(self, server, prepare=None):
        self.server, self.prepare, self.page = server, prepare, None

    def browser(self):
        if not self.page:
            binary = chromium.find()
            if not binary:
                raise Skip("chromium is not installed (tools/setup browser)")
            if not self.server.is_alive():
                self.server.start()
            if b"app.js" not in self.server.request("GET", "/login", headers={"Accept": "text/html"})[2]:
                raise Skip("the server was built without the pages")
            if self.prepare:
                self.prepare()
            self.page = chromium.Browser(binary)
            self.page.size(1440, 900)
        return self.page

    def show(self, path, text=None):
        """Opens the page at path, and waits until it says text."""
        page = self.browser()
        page.open(f"http://127.0.0.1:{self.server.api}{path}")
        if text:
            page.wait_text(text)
        return page

    def pictures(self, name, path, ready, prepare=None):
        """prepare(page) brings what is shown into the state that is pictured."""
        if not PICTURES:
            return
        page = self.browser()
        os.makedirs(PICTURES, exist_ok=True)
        for width, height in SIZES:
            for theme in THEMES:
                page.size(width, height, theme)
                self.show(path, ready)
                time.sleep(0.4)  # what moves comes to rest
                if prepare:
                    prepare(page)
                    time.sleep(0.4)
                page.picture(os.path.join(PICTURES, f"{name}-{width}-{theme}.{FORMAT}"))
        page.size(1440, 900)

    def check(self, path, ready, name=None, prepare=None):
        """What is wrong with the page at path, a sentence each: axe's rules and what is wider than the window, at both widths, light
        and dark. Pictured under name, where it has one. prepare as in pictures().
        """
        page, found = self.browser(), []
        for width, height in SIZES:
            for theme in THEMES:
                page.size(width, height, theme)
                self.show(path, ready)
                if prepare:
                    prepare(page)
                at = f"{path} {width} {theme}"
                if not page.run("document.documentElement.scrollWidth <= innerWidth"):
                    found.append(f"{at}: wider than the window")
                found += [f"{at}: {one}" for one in axe.violations(page, theme)]
                if PICTURES and name:
                    os.makedirs(PICTURES, exist_ok=True)
                    time.sleep(0.2)
                    page.picture(os.path.join(PICTURES, f"{name}-{width}-{theme}.{FORMAT}"))
        page.size(1440, 900)
        return found

    def language(self, name, path=None):
        """Chooses the pages' language, "en" or "ru", as a reader does; then the page at path, where one is given."""
        page = self.browser()
        page.run("window.isOld = true")  # the document is loaded again
        page.click(f".languages button[lang={name}]")
        page.wait(f"!window.isOld && document.documentElement?.lang === {json.dumps(name)}", f"the pages speak {name}")
        return self.show(path) if path else page

    def close(self):
        if self.page:
            self.page.close()
