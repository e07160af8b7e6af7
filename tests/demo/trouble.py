#!/usr/bin/env python3
"""trouble.py BUILD [CASE...]: what `make demo` says where it can't start, or is interrupted: a sentence that says what and what to do,
and nothing left running. `make test` runs the cases that start no server (QUICK=1), `make demo-trouble` all.
"""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from company import DEMO, PORTS, ROOT, Company, harness, is_listened_on, read_faults  # noqa: E402

BUILD = os.path.dirname(os.path.abspath(sys.argv[1])) if os.path.isfile(sys.argv[1]) else os.path.abspath(sys.argv[1])


@contextlib.contextmanager
def company(build=BUILD):
    """A company that is not started; at the end it is looked for what was left of it."""
    one = Company(build)
    one.env["DEMO_HISTORY"] = "1000"  # it will not be needed
    try:
        yield one
        left = [one.base + offset for offset in PORTS if is_listened_on(one.base + offset)]
        assert not left and not is_listened_on(one.api), f"somebody listens still: {left}"
        assert not processes_of(one), processes_of(one)
    finally:
        one.__exit__()


def processes_of(one):
    """Who was started for it: has it on his command line, or in his environment."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                words = []
                for kind in ("cmdline", "environ"):
                    with open(f"/proc/{name}/{kind}", "rb") as file:
                        words.append(file.read().replace(b"\0", b" ").decode(errors="replace"))
                if any(one.folder in text for text in words):
                    found.append(f"{name}: {words[0]}")
    return found


def refused(one, *words):
    """demo/up ends with status 1, and its last sentence has these words."""
    done = one.script("up")
    assert done.returncode == 1, done
    for word in words:
        assert word in done.stderr, (word, done.stderr)
    return done


@contextlib.contextmanager
def programs_without(*names, instead=None):
    """A PATH with all programs of this one but some; instead: texts of scripts by their names."""
    with tempfile.TemporaryDirectory() as folder:
        for place in reversed(os.environ["PATH"].split(":")):
            with contextlib.suppress(OSError):
                for name in os.listdir(place):
                    path = os.path.join(folder, name)
                    if name not in names:
                        with contextlib.suppress(FileNotFoundError):
                            os.unlink(path)
                        os.symlink(os.path.join(place, name), path)
        for name, text in (instead or {}).items():
            write_script(os.path.join(folder, name), text)
        yield folder


def write_script(path, text):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/bash\n{text}\n")
    os.chmod(path, 0o755)


def needs_servers(one, path=None):
    """Skips where the company could not be started anyway."""
    harness.as_nobody(one.folder)
    with tempfile.TemporaryDirectory() as nothing:
        done = subprocess.run([os.path.join(DEMO, "up")], env={**one.env, "DEMO_BUILD": nothing, **({"PATH": path} if path else {})},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if "not installed" in done.stderr:
        raise harness.Skip(done.stderr.strip().splitlines()[-1])


# -- Before anything is started


def case_missing_package():
    """a package that is missing is named, and who installs it"""
    with company() as one, programs_without("swift-object-server", "stunnel4") as path:
        one.env["PATH"] = path
        refused(one, "not installed:", "swift-object", "tools/setup servers", "as root or by sudo")


def case_no_root():
    """without root and sudo it is said what to run once as root"""
    with tempfile.TemporaryDirectory() as folder, programs_without("sudo") as path:
        os.mkdir(os.path.join(folder, "tools"))
        os.mkdir(os.path.join(folder, "build"))
        shutil.copy(os.path.join(ROOT, "tools", "setup"), os.path.join(folder, "tools"))
        with open(os.path.join(folder, "tools", "packages"), "w", encoding="utf-8") as file:
            file.write("servers no-such-package-of-the-demo\n")
        os.chmod(folder, 0o755)
        os.chmod(path, 0o755)
        os.chmod(os.path.join(folder, "build"), 0o777)
        done = subprocess.run([*harness.as_nobody(folder), "bash", os.path.join(folder, "tools", "setup"), "servers"], env={**os.environ, "PATH": path},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "neither root nor has sudo. Run this once as root" in done.stderr, done
        assert "apt-get install -y --no-install-recommends no-such-package-of-the-demo" in done.stderr, done
        assert not os.listdir(os.path.join(folder, "build", "setup")), "a section that is not done has no stamp"


def case_set_up_says_where_it_is():
    """while packages are installed it is said every ten seconds what is done; nothing of it says more when that is over"""
    with tempfile.TemporaryDirectory() as folder, programs_without(instead={
            "apt-get": "echo Unpacking a-package; case \"$*\" in *install*) until grep -q 's: Unpacking' \"$SAID\"; do sleep 0.1; done ;; esac"}) as path:
        os.mkdir(os.path.join(folder, "tools"))
        shutil.copy(os.path.join(ROOT, "tools", "setup"), os.path.join(folder, "tools"))
        with open(os.path.join(folder, "tools", "packages"), "w", encoding="utf-8") as file:
            file.write("build no-such-package-of-the-demo\n")
        if os.getuid() != 0:
            raise harness.Skip("not root")
        # The installation lasts until it has been said once where it is.
        with open(os.path.join(folder, "said"), "w+", encoding="utf-8") as said:
            done = subprocess.run(["bash", os.path.join(folder, "tools", "setup"), "build"], env={**os.environ, "PATH": path, "SAID": said.name},
                                  stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
            words = harness.said_in(said)
        assert done.returncode == 0 and not done.stderr, (done, words)
        assert "s: Unpacking a-package\n" in words and re.search(r"section build done after \d\d", words.splitlines()[-1]), words


def case_not_built():
    """a program that is not built is named, and what builds it"""
    with tempfile.TemporaryDirectory() as nothing, company(nothing) as one:
        needs_servers(one)
        refused(one, "filigree is not built; `make build` builds it")


def case_taken_ports():
    """ports that are taken are named, each with who wants it, Filigree's too, and how to move"""
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(company())
        needs_servers(one)
        if not os.path.exists(os.path.join(BUILD, "demo", "demo-shop-api")):
            raise harness.Skip("the demo was not built")
        with contextlib.ExitStack() as taken:
            for port in (one.base + 21, one.base + 3, one.api):
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
            refused(one, f"port {one.base + 21} (wanted for rabbit)", f"port {one.base + 3} (wanted for mes-api)", f"port {one.api} (wanted for Filigree)",
                    "End who listens there, or set DEMO_PORT")


def case_wrong_settings():
    """wrong options and settings are refused with a sentence"""
    with company() as one:
        for words, env, said in ((["--stage", "5"], {}, "--stage is 1, 2, 3 or 4"), (["--fast"], {}, "no such option: --fast"),
                                 ([], {"DEMO_PORT": "80"}, "DEMO_PORT is no port to begin with: 80"),
                                 ([], {"DEMO_DATA": "/proc/none"}, "can't make the folder /proc/none; DEMO_DATA names another")):
            done = subprocess.run([os.path.join(DEMO, "up"), *words], env={**one.env, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  check=False)
            assert done.returncode == 1 and said in done.stderr, (words, env, done)
        done = subprocess.run([os.path.join(DEMO, "show")], env={**one.env, "DEMO_FAULT": "10:rain"}, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 1 and "there is no 10:rain; demo/break --list shows" in done.stderr, done


def case_list():
    """demo/break --list has every place and way, with the verdict that is right and what it should say; others are refused"""
    with company() as one:
        done = one.script("break", "--list")
        assert done.returncode == 0 and not done.stderr, done
        said = " ".join(done.stdout.split())
        for what, fault in read_faults().items():
            assert f"{what} {fault['kind']}/{fault['code']} at {fault['service']}, {fault['state'].replace('|', ' or ')}" in said, what
            assert "Say: " in fault["text"] and " ".join(fault["text"].split()) in said, what
        assert {what.split(":")[0] for what in read_faults()} == set("123456789"), "nine places"
        for script, word, reason in (("break", "10:rain", "no such place or way: 10:rain; --list shows them"), ("break", "6:hang", "does not run in"),
                                     ("heal", "10:rain", "no such place or way: 10:rain; demo/break --list shows them"), ("heal", "6:hang", "there is no company in")):
            done = one.script(script, word)
            assert done.returncode == 1 and reason in done.stderr, done


def case_help():
    """each script says what it is for when asked, refuses an option that it does not have, and does nothing in either case"""
    with company() as one:
        for script in ("up", "down", "status", "show", "try", "break", "heal", "redrive", "record", "traffic", "browser", "topology", "supervise"):
            done = one.script(script, "--help", seconds=60)
            assert done.returncode == 0 and script in done.stdout.split("\n", maxsplit=1)[0] and not done.stderr, done
            done = one.script(script, "--no-such-option", seconds=60)
            assert done.returncode in (1, 2) and "--no-such-option" in done.stderr and not done.stdout, done
        done = one.script("break")
        assert done.returncode == 2 and "demo/break --list" in done.stderr, done


def case_signal_at_a_start():
    """a signal between a process's start and its note is kept until it is noted: whoever stops things then knows of it"""
    script = """. "$0/lib.sh"; mkdir -p "$PIDS"
      eval "$(declare -f remember_in | sed '1s/remember_in/note/')"
      remember_in() { kill -"$how" "$BASHPID"; sleep 0.2; note "$@"; }
      trap 'id_of sleeper; end sleeper; exit 130' INT TERM HUP
      launch sleeper /dev/null sleep 60
      echo goes on"""
    with company() as one:
        for how in ("INT", "TERM", "HUP"):
            done = subprocess.run(["bash", "-c", script, DEMO], env={**one.env, "how": how}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  preexec_fn=harness.as_a_terminal_starts_it, check=False)
            assert done.returncode == 130 and done.stdout.strip().isdigit(), (how, done)


def case_end_while_it_waits():
    """a service that is stopped while it waits to start again leaves nothing behind"""
    with company() as one:
        os.makedirs(os.path.join(one.env["DEMO_DATA"], "pids"), exist_ok=True)
        for _ in range(5):
            process = subprocess.Popen([os.path.join(DEMO, "supervise"), "crm-api", "false"], env=one.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            said = process.stdout.readline()
            assert "starts again in 1 s" in said, said
            process.terminate()
            process.wait(60)
            process.stdout.close()
            assert not processes_of(one), processes_of(one)


# -- While it starts, and afterwards


def case_component_that_does_not_come_up():
    """a part that does not come up is named with its own words, and all others are stopped"""
    with company() as one, tempfile.TemporaryDirectory() as folder:
        needs_servers(one)
        os.chmod(folder, 0o755)
        os.symlink(os.path.join(BUILD, "demo"), os.path.join(folder, "demo"))
        write_script(os.path.join(folder, "filigree"), "echo 'filigree: the disk is made of cheese'; exit 3")
        one.env["DEMO_BUILD"] = folder
        refused(one, "demo: filigree did not start:", "the disk is made of cheese")
    with company() as one, programs_without(instead={"node": "echo 'node: no sockets today'; exit 4"}) as path:
        os.chmod(path, 0o755)
        one.env["PATH"] = path
        refused(one, "crm-api did not start:", "no sockets today")


def interrupt_at(one, script, words, how=signal.SIGINT):
    """Starts a script, and sends Ctrl-C to all of its processes when it says these words. What it said; None
    where another process was faster to take one of its ports."""
    process = subprocess.Popen([os.path.join(DEMO, script)], env=one.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, start_new_session=True, preexec_fn=harness.as_a_terminal_starts_it)
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            os.killpg(process.pid, how)
            words = "\0"  # once
    status = process.wait(180)
    if "taken: port" in said:
        return None
    assert words == "\0", f"it never came so far: {said}"
    assert status in (130, -how), (status, said)
    return said


def case_interrupted_at_any_stage():
    """Ctrl-C stops everything: as the first part begins, while databases, broker and services start, and while orders run"""
    for script, words in (("up", "starts Filigree"), ("up", "-db: up"), ("up", "rabbit: up"), ("up", "packing: up"), ("up", "shop-api: up"),
                          ("show", "the company is up after"), ("show", "a stream of orders begins"), ("show", "the first order is traced")):
        said = None
        while said is None:
            with company() as one:
                needs_servers(one)
                said = interrupt_at(one, script, words)
        print(f"# {script}: stopped at {words!r}", flush=True)


def case_second_demo():
    """a second `make demo` says that the first one runs and what stops it, and leaves it alone"""
    with company() as one:
        one.start()
        for script in ("up", "show"):
            done = one.script(script)
            assert done.returncode == 1 and "it runs already in" in done.stderr and "demo/down stops it" in done.stderr, done
        assert one.status_of(one.place()) == "INITIATED", "the first one runs on"
        one.must("down")


STARTS_SERVERS = (case_component_that_does_not_come_up, case_interrupted_at_any_stage, case_second_demo)

if __name__ == "__main__":
    sys.exit(harness.main({name: case for name, case in globals().items() if not (os.environ.get("QUICK") and case in STARTS_SERVERS)}))
