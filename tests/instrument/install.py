#!/usr/bin/env python3
"""install.py FILIGREE BUILD NAME...: what `make install` gives a stranger of each instrumentation."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness  # noqa: E402

BUILD, NAMES = sys.argv[2], sys.argv[3:]
# A call of each, whose result needs no server.
CALLS = {
    "curl": "curl_easy_cleanup(curl_easy_init()); fg_curl_set_template(0, 0);",
    "pq": "PQfinish(PQconnectdb(\"nonsense\")); fg_pq_set_comments(0);",
    "rabbitmq": "amqp_destroy_connection(amqp_new_connection()); fg_amqp_span(0);",
    "microhttpd": "MHD_stop_daemon(MHD_start_daemon(MHD_USE_NO_LISTEN_SOCKET, 0, 0, 0, 0, 0, MHD_OPTION_END)); fg_mhd_route(0);",
}


def say(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def case_install():
    """header, pkg-config file, shared and static library serve a C99 and a C++ program, with and without FILIGREE_DROP_IN"""
    with tempfile.TemporaryDirectory() as folder:
        say("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", folder)
        found = next(path for path, _, files in os.walk(folder) if "filigree.pc" in files)
        env = {**os.environ, "PKG_CONFIG_PATH": found, "FILIGREE_RECORDER": "off", "FILIGREE_EXIT_TIMEOUT": "10"}
        prefix = folder + say("pkg-config", "--variable=prefix", "filigree", env=env).strip()
        for name in NAMES:
            program, source = os.path.join(folder, name), os.path.join(folder, name + ".c")
            with open(source, "w", encoding="ascii") as file:
                file.write(f"#include <filigree_{name}.h>\nint main(void) {{ fg_tracing_start(0); {CALLS[name]} return 0; }}\n")
            for kind in ([], ["--static"]):
                flags = say("pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", *kind, f"filigree-{name}", env=env).split()
                if kind:
                    flags = [f"-l:lib{flag[2:]}.a" if flag.startswith("-lfiligree") else flag for flag in flags]
                    # The package says which shared libraries a static program needs; Debian has no static ones of them all.
                    assert f"-l:libfiligree-{name}.a" in flags, flags
                libraries = next(flag[2:] for flag in flags if flag.startswith("-L") and folder in flag)
                for compiler, standard in (("cc", "c99"), ("c++", "c++11")):
                    for define in ([], ["-DFILIGREE_DROP_IN"]):
                        language = ["-x", "c++" if compiler == "c++" else "c", source, "-x", "none"]
                        say(compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", *define, *language, "-o", program, *flags, "-pthread")
                        say(program, env={**env, "LD_LIBRARY_PATH": libraries, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"})


def case_man_pages():
    """each has a man page that names every call of its header, and reads without a warning"""
    with tempfile.TemporaryDirectory() as folder:
        say("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", folder)
        pages = {name: os.path.join(path, name) for path, _, files in os.walk(folder) for name in files if name.endswith(".3")}
        for name in NAMES:
            page = pages[f"libfiligree-{name}.3"]
            header = next(os.path.join(path, f"filigree_{name}.h") for path, _, files in os.walk(folder) if f"filigree_{name}.h" in files)
            with open(page, encoding="ascii") as file, open(header, encoding="utf-8") as declared:
                text, calls = file.read(), re.findall(r"^FG_API[^;]*?\b(fg_\w+)\(", declared.read(), re.M)
            assert len(calls) > 2 and not [call for call in calls if call + "(" not in text], (name, calls)
            if shutil.which("groff"):
                done = subprocess.run(["groff", "-man", "-Tascii", "-ww", "-z", page], capture_output=True, text=True, check=True)
                assert not done.stderr, done.stderr


if __name__ == "__main__":
    sys.argv[2:] = []
    sys.exit(harness.main(globals()))
