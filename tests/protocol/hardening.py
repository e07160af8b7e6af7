#!/usr/bin/env python3
"""hardening.py FILIGREE LIST LIBRARY...: what was built is hardened as the build says it is, read off the files themselves.

LIST has the build's own words for what its compiler can (meson.build), with commas between. Flags of the environment that undo it show, too.
"""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import Skip  # noqa: E402

BINARY, EXPECTED, LIBRARIES = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
# The checked forms that _FORTIFY_SOURCE puts in the place of memcpy and its like. __stack_chk_fail is another's.
MARKS_MIN = 10  # the C library's own start and end have some
CHECKED = re.compile(r"\b__(?!stack)\w+_chk\b")


def said(program, *words):
    if not shutil.which(program):
        raise Skip(f"{program} (package binutils) is not installed")
    return subprocess.run([program, *words], check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}).stdout


class Built:
    """A file and what it has of each kind of hardening."""

    def __init__(self, path):
        self.path = path
        self.headers, self.dynamic, self.symbols = (said("readelf", "-W", word, path) for word in ("-lh", "-d", "--dyn-syms"))
        self.code = ""

    def has(self, what):
        tests = {
            "relro": lambda: "GNU_RELRO" in self.headers,
            "now": lambda: re.search(r"\((FLAGS|FLAGS_1|BIND_NOW)\).*\b(BIND_NOW|NOW)\b|\(BIND_NOW\)", self.dynamic) is not None,
            "noexecstack": lambda: re.search(r"GNU_STACK .* RW +0x", self.headers) is not None,
            "pie": lambda: re.search(r"Type: +DYN", self.headers) is not None,
            "stack_protector": lambda: "__stack_chk_fail" in self.symbols,
            "fortify": lambda: CHECKED.search(self.symbols) is not None,
            # A large frame is touched page by page as it is made; a place that may be jumped to is marked.
            "stack_clash": lambda: self.count(r"sub +\$0x1000,%[er]sp\n.*(or|mov)[qlb]? +\$0x0,.*\(%[er]sp\)|sub\s+sp, sp, #0x10, lsl.*\n.*str\s+xzr, \[sp") > 0,
            "branches": lambda: self.count(r"\bendbr(64|32)\b") >= MARKS_MIN,
            "branches_arm": lambda: self.count(r"\bbti\b|\bpaciasp\b|\bhint\s+#0x(19|22)\b") >= MARKS_MIN,
        }
        return tests[what]()

    def count(self, pattern):
        """How often instructions look like this."""
        self.code = self.code or said("objdump", "-d", "--no-show-raw-insn", self.path)
        return sum(1 for _ in re.finditer(pattern, self.code))


def missing_of(path, but=()):
    built = Built(path)
    return [what for what in EXPECTED if what not in but and not built.has(what)]


def case_binary():
    """The server has what the build promises."""
    missing = missing_of(BINARY)
    assert not missing, f"{os.path.basename(BINARY)} has not: {', '.join(missing)}"


def case_libraries():
    """So have the libraries that services link."""
    # The small ones have no frame that is larger than a page, nor a buffer whose size the compiler knows.
    small = ("fortify", "stack_clash", "stack_protector")
    wrong = [f"{os.path.basename(path)}: {', '.join(missing)}" for path in LIBRARIES
             if (missing := missing_of(path, small if "-" in os.path.basename(path) else ()))]
    assert LIBRARIES and not wrong, "; ".join(wrong)


def case_nothing_less():
    """A build on a current compiler can do all that doc/threats.md names."""
    always = {"relro", "now", "noexecstack", "stack_protector"}
    assert always <= set(EXPECTED), always - set(EXPECTED)


if __name__ == "__main__":
    sys.exit(harness.main(globals(), []))
