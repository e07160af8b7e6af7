#!/usr/bin/env python3
"""contrast.py TOKENS.CSS: what is written in one colour on another can be read, in both themes (WCAG 2.2 AA).

Text holds 4.5:1 on every ground it may stand on, washes included; marks, control borders and the focus hold 3:1.
Prints the worst pair of each kind. Exits by 1 where one does not hold.
"""
import re
import sys

GROUNDS = ("bg", "surface", "sunken", "hover", "selected")
STATES = ("flowing", "person", "late", "stuck", "broken", "done", "cancelled", "unknown")
TEXTS = ("text", "text-2", "text-3", "accent", *STATES)
MARKS = ("line-strong", "focus", "critical", *(f"svc-{i}" for i in range(1, 11)))


def sets(css):
    """The colours of each theme by name; the dark one has what it does not say from the light one."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    dark = re.search(r"@media \(prefers-color-scheme: dark\) \{\s*:root[^{]*\{(.*?)\}\s*\}", css, re.S)
    assert dark, "there is no dark set"
    light = css.replace(dark.group(0), "")
    assert "color-scheme: dark" not in light, "a second dark set: the bundler makes it, see tools/build-ui"
    find = lambda text: dict(re.findall(r"--([a-z0-9-]+):\s*(#[0-9a-f]{6})\b", text))  # noqa: E731
    both = {"light": find(light), "dark": {**find(light), **find(dark.group(1))}}
    missing = set(find(light)) ^ set(find(dark.group(1)))
    assert not missing, f"not in both sets: {sorted(missing)}"
    return both


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def pairs():
    for ground in GROUNDS:
        for text in TEXTS:
            yield "text", text, ground
        for mark in MARKS:
            yield "mark", mark, ground
    for state in STATES:  # behind a verdict or a first cause stands its wash, and on it also what explains
        for text in (state, "text", "text-2", "accent"):
            yield "text", text, f"{state}-wash"
    yield "text", "accent", "accent-wash"
    yield "text", "text", "accent-wash"
    yield "text", "bg", "text"  # the main button
    for state in STATES:
        yield "text", "on-solid", state


def main(path):
    failed = 0
    with open(path, encoding="utf-8") as file:
        themes = sets(file.read())
    for theme, colours in themes.items():
        worst = {}
        for kind, front, ground in pairs():
            ratio, least = contrast(colours[front], colours[ground]), 4.5 if kind == "text" else 3
            if ratio < worst.get(kind, (99,))[0]:
                worst[kind] = (ratio, front, ground)
            if ratio < least:
                failed += 1
                print(f"# {theme}: {front} on {ground} has {ratio:.2f}:1, less than {least}:1")
        for kind, (ratio, front, ground) in worst.items():
            print(f"# {theme}: the worst {kind} is {front} on {ground}, {ratio:.2f}:1")
    print(f"{'not ok' if failed else 'ok'} 1 - colours can be told from their grounds in both themes\n1..1")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
