"""axe-core, in the version of ui/package-lock.json, asked about the page that a browser shows."""
import os
import shutil
import subprocess

from harness import BINARY, Skip

# What is not a matter of colours is the same in both themes.
RULES = {"light": "{type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}",
         "dark": "{type: 'rule', values: ['color-contrast', 'link-in-text-block']}"}


def packages():
    """The folder of the pages' packages, those for tests among them."""
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "ui")
    work = os.path.join(os.path.dirname(os.path.abspath(BINARY)), "ui", "axe")
    if os.path.exists(os.path.join(work, "node_modules", "axe-core", "axe.min.js")):
        return work
    if not shutil.which("npm"):
        raise Skip("npm is not installed")
    os.makedirs(work, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(os.path.join(source, name), work)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"], cwd=work, capture_output=True,
                          text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise Skip("npm could not install axe-core")
    return work


def violations(page, theme):
    """What axe says against the page, a sentence each."""
    with open(os.path.join(packages(), "node_modules", "axe-core", "axe.min.js"), encoding="utf-8") as file:
        page.run(file.read())
    return page.run(f"axe.run(document, {{runOnly: {RULES[theme]}, resultTypes: ['violations']}})"
                    ".then((all) => all.violations.map((one) => "
                    "one.id + ': ' + one.nodes.slice(0, 3).map((node) => node.target.join(' ') + ' ' + (node.failureSummary ?? '').slice(0, 200)).join(' | ')))")
