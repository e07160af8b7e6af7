#!/usr/bin/env python3
"""threats.py SOURCE: every test that doc/threats.md names is there, and every threat names one."""
import os
import re
import sys

SOURCE = sys.argv[1]


def main():
    with open(os.path.join(SOURCE, "doc", "threats.md"), encoding="utf-8") as file:
        rows = [line for line in file if line.startswith("| ") and not line.startswith(("| threat |", "| bad input |"))]
    wrong = []
    for row in rows:
        threat, _, tests = (cell.strip() for cell in row.strip().strip("|").rsplit("|", 2))
        named = re.findall(r"`(\S+) (\w+)`", tests)
        if not named:
            wrong.append(f"no test: {threat}")
        for path, name in named:
            whole = os.path.join(SOURCE, path)
            text = ""
            if os.path.exists(whole):
                with open(whole, encoding="utf-8") as file:
                    text = file.read()
            pattern = rf"^def case_{name}\(" if path.endswith(".py") else rf"^static void {name}\("
            if not re.search(pattern, text, re.M):
                wrong.append(f"there is no {name} in {path}: {threat}")
    print("\n".join(wrong) or f"{len(rows)} threats")
    return 1 if wrong or len(rows) < 50 else 0


if __name__ == "__main__":
    sys.exit(main())
