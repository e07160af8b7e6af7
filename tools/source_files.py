"""What the checks know of the source tree: which files there are, and which they include."""
import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)


def tracked(*patterns):
    """Files that are in git or would be, relative to the root; all where no pattern is given."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
    return sorted(name for name in set(names) if name and os.path.isfile(os.path.join(ROOT, name)))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def includes(name):
    """The quoted includes of a file, as they are written."""
    return INCLUDE.findall(read(name))


def room_of(name):
    """"store" for src/store/local/wal.c; None outside src/."""
    parts = name.split("/")
    return parts[1] if parts[0] == "src" and len(parts) > 2 else None


def resolve(name, include):
    """The file that an include of `name` means; None for one that lies outside the tree."""
    beside = os.path.normpath(os.path.join(os.path.dirname(name), include))
    room = room_of(name) or ""
    candidates = [beside, f"src/{room}/{include}", f"src/{include.split('/')[0]}/include/{include}",
                  f"include/{include}", f"src/cmd/{include}"]
    for candidate in candidates:
        if os.path.isfile(os.path.join(ROOT, candidate)):
            return candidate
    return None


def closure(name, known=None):
    """A file and all files of the tree that it includes, however far."""
    known = {} if known is None else known
    seen = []
    waiting = [name]
    while waiting:
        file = waiting.pop()
        if file in seen:
            continue
        seen.append(file)
        if file not in known:
            known[file] = [resolve(file, include) for include in includes(file)]
        waiting += [found for found in known[file] if found]
    return sorted(seen)
