#!/usr/bin/env python3
"""faults.py BUILD [CASE...]: the running company, well (healthy.py), and broken in one way of each place. `make demo-faults` has all ways (table.py).

Of each way it is shown that an affected order stops, that Filigree says why, and that after the healing every order goes on to its end.
"""
import os
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import healthy  # noqa: E402
from company import DEMO, PORTS, Company, harness, is_listened_on, read_faults  # noqa: E402
from trial import Trial, say  # noqa: E402

SHORT = ("1:controller_error", "2:lock_wait", "3:quota", "4:bad_message", "5:reject", "6:die", "7:connection_limit",
         "8:script_error", "9:stopped")


# -- The company itself

def check_second_up(company):
    done = company.script("up")
    assert done.returncode == 1 and "runs already" in done.stderr, done
    assert company.status_of(company.place()) == "INITIATED", "the first one runs on"


def listening(company):
    """The company's ports that somebody listens on."""
    return [company.base + offset for offset in PORTS if is_listened_on(company.base + offset)]


def check_taken_port(build):
    """Nothing is started where a port is taken, and the port is named."""
    company = Company(build)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", company.base + 21))
        taken.listen()
        done = company.script("up")
        assert done.returncode == 1 and f"port {company.base + 21} (wanted for rabbit)" in done.stderr, done
    assert not listening(company)
    company.__exit__()


def check_interrupted(build):
    """Ctrl-C while it starts leaves nothing running."""
    company = Company(build)
    company.env["DEMO_HISTORY"] = "1000"  # it will not be needed
    up = subprocess.Popen([os.path.join(DEMO, "up")], env=company.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, start_new_session=True, preexec_fn=harness.as_a_terminal_starts_it)
    try:
        for line in up.stdout:
            if "-db: up" in line:
                os.killpg(up.pid, signal.SIGINT)
                break
        up.stdout.read()
        assert up.wait(120) == 130, up.returncode
        assert not listening(company), listening(company)
    finally:
        if up.poll() is None:  # it did not hear: what comes after it is to find the machine free
            os.killpg(up.pid, signal.SIGKILL)
        company.__exit__()


def cases_of(company, build):
    def second():
        """a second demo/up says that the first one runs, and leaves it alone"""
        check_second_up(company)

    def taken():
        """a port that is taken is named, and nothing is started"""
        check_taken_port(build)

    def interrupted():
        """Ctrl-C while the company starts stops all of it"""
        check_interrupted(build)

    def down():
        """demo/down stops all of it"""
        assert listening(company)
        company.must("down")
        assert not listening(company), listening(company)

    cases = {"case_traffic": healthy.case_traffic, "case_browser": healthy.case_browser, "case_quiet": healthy.case_quiet,
             "case_second": second, "case_taken": taken}
    for what in SHORT:
        def case(what=what):
            trial = Trial(company, read_faults()[what]).run()
            print(f"  {what}: {say(trial.verdict)}, {trial.after:.1f} s after the error or the deadline")
            assert trial.is_seen, f"{say(trial.verdict)}, not {trial.fault}"
        case.__doc__ = f"{what} stops an order, Filigree says why, and after the healing it goes on to its end"
        cases["case_" + what.replace(":", "_")] = case
    cases.update(case_down=down, case_interrupted=interrupted)
    return cases


def main():
    build = os.path.dirname(os.path.abspath(sys.argv[1])) if os.path.isfile(sys.argv[1]) else os.path.abspath(sys.argv[1])
    try:
        with Company(build) as company:
            healthy.Running.now = healthy.Running(company)
            return harness.main(cases_of(company, build))
    except harness.Skip as reason:
        print(reason)
        return 77


if __name__ == "__main__":
    sys.exit(main())
