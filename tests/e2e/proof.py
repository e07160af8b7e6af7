#!/usr/bin/env python3
"""proof.py FILIGREE [CASE...]: what is promised of orders over time: erased ones are nowhere, those under way keep their spans, each
incident is told once, who listens slowly holds up nobody."""
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import harness  # noqa: E402
from harness import BINARY, Server, holds, wait_until  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix="filigree-proof-", dir=os.environ.get("TMPDIR") or "/var/tmp")
FLOW = os.path.join(FOLDER, "order.yaml")

with open(FLOW, "w", encoding="ascii") as flow_file:
    flow_file.write("""flows:
  - name: order
    key: order.id
    within: 80s
    steps:
      - {name: placed, when: 'service:shop-api name="POST /orders"'}
      - {name: shipped, when: 'service:mes-api name=ship', within: 30d, ends: done}
""")


def run(server, *arguments, check=0):
    environment = {**os.environ, "FILIGREE_SERVER": f"http://127.0.0.1:{server.api}"}
    done = subprocess.run([BINARY, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert done.returncode == check, f"{arguments}: {done.returncode} instead of {check}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def get(server, path):
    status, body = server.get(path)
    assert status == 200, (path, status, body)
    return json.loads(body)


def is_known(server):
    """Whether it follows the journeys, and none is being made anew."""
    status, body = server.get("/api/v1/journeys")
    return status == 200 and not json.loads(body)["rebuilding"]


def fail(server, order, **more):
    server.tell("mes-api", "UPDATE prices", order, kind="client", ago=3, error="sorry, too many clients already",
                db__system__name="postgresql", server__address="mes-db", db__response__status_code="53300", **more)


def the_incident(server):
    found = get(server, "/api/v1/incidents")["incidents"]
    return found[0] if found else {"order_count": 0, "standing_count": 0}


# -- Erasing


def answers(server, number):
    """What every route says that knows of orders."""
    return b"".join(server.get(path)[1] for path in (
        f"/api/v1/incidents/{number}", "/api/v1/incidents", "/api/v1/board", "/api/v1/journeys?limit=10000", "/api/v1/values?key=order.id"))


def case_erased():
    """An erased order is in no file and in no answer, though an incident had listed and a note named it; what was counted stays."""
    gone, kept = "GONE-" + os.urandom(6).hex(), "KEPT-" + os.urandom(6).hex()
    with Server(options=["--flows", FLOW, "--reserve", "16MiB"]) as server:
        server.start()
        for order in (gone, kept):
            server.tell("shop-api", "POST /orders", order, ago=5, messaging__message__id="m-" + order)
            fail(server, order)
        wait_until(lambda: the_incident(server)["order_count"] == 2, "both are one incident")
        number = the_incident(server)["id"]
        run(server, "incidents", "note", number, f"{gone} and {kept} called", "--by", "Ann")
        run(server, "seal")
        stream = Stream(server)
        begun = re.search(rb"id: ([0-9a-f]+-[0-9]+)", stream.until(b"event: ready")).group(1).decode()
        fail(server, gone)  # once more, so that who comes again hears of it
        server.tell("mes-api", "ship", gone)
        stream.until(gone.encode())
        stream.close()
        for order in (gone, kept):
            assert holds(server.data, order), "it is on disk before"
            assert order.encode() in answers(server, number)
        assert run(server, "erase", "--attribute", f"order.id={gone}", "--yes") == "erased 4 spans\n"
        again = Stream(server, begun)
        assert gone.encode() not in again.until(b"event: reset"), "nor is it told to who comes again"
        again.close()
        for _ in range(2):
            assert not holds(server.data, gone), "it is nowhere in the folder"
            assert gone.encode() not in answers(server, number)
            assert server.get(f"/api/v1/journeys/order.id/{gone}")[0] == 404
            assert holds(server.data, kept) and kept.encode() in answers(server, number)
            told = get(server, f"/api/v1/incidents/{number}")
            assert told["order_count"] == 2 and [order["value"] for order in told["orders"]] == [kept], told
            assert [event["text"] for event in told["timeline"] if event["what"] == "noted"] == [f"[erased] and {kept} called"], told
            server.kill()
            server.start()
            wait_until(lambda: is_known(server), "the journeys are known")


# -- Retention


def case_pinned():
    """An order that is open for weeks keeps its spans past their age, over a restart too; one that ended loses them, and so does an
    order that nobody declared a flow for."""
    ago = 10 * 86400
    options = ["--flows", FLOW, "--reserve", "16MiB", "--journey-keys", "order.id,payment.id"]
    with Server(options=options) as server:
        server.start()
        traces = {name: server.tell("shop-api", "POST /orders", name, ago=ago) for name in ("OPEN", "DONE", "BROKEN")}
        traces["FLOWLESS"] = server.tell("shop-api", "pay", ago=ago, payment__id="PAY-1")
        server.tell("mes-api", "ship", "DONE", ago=ago - 60, trace=traces["DONE"])
        server.tell("mes-api", "UPDATE prices", "BROKEN", kind="client", ago=ago - 60, error="boom", trace=traces["BROKEN"])
        states = {"OPEN": "flowing", "DONE": "done", "BROKEN": "broken"}

        def are_known():
            found = {row["value"]: row["state"] for row in get(server, "/api/v1/journeys")["journeys"]}
            return all(found.get(name) == state for name, state in states.items())
        wait_until(are_known, "each order has its state")
        run(server, "seal")
        assert server.end() == 0
        server.options += ["--retention-age", "5d"]
        for _ in range(2):
            server.start()
            wait_until(lambda: is_known(server), "the journeys are known")
            status, _, _ = server.request("POST", "/api/v1/admin/merge", b"{}", {"Content-Type": "application/json"})
            assert status == 200
            assert {name for name, trace in traces.items() if server.trace(trace)} == {"OPEN", "BROKEN"}
            told = get(server, "/api/v1/journeys/order.id/OPEN")
            assert told["state"] == "flowing" and told["last_step"] == "placed" and told["stays"], told
            server.kill()


# -- Alerts of incidents


def recover(server, order):
    """What failed is done again and ends well."""
    server.tell("mes-api", "UPDATE prices", order, kind="client", db__system__name="postgresql", server__address="mes-db")
    server.tell("mes-api", "ship", order)


def case_alerts():
    """An incident is one message when it opens and one when it ends, with the place's owner, to who was away at first and to who is
    away when it ends as well; a kill in between makes no second one."""
    here, port = harness.Sink(), harness.free_port()
    urls = f"http://127.0.0.1:{here.port}/hook,http://127.0.0.1:{port}/hook,http://127.0.0.1:{here.port}/api/v2/alerts"
    owners = "database/mes-db=dba,*=on call"
    with Server(options=["--flows", FLOW, "--reserve", "16MiB", "--alert-webhook", urls, "--owners", owners]) as server:
        server.start()
        for number in range(5):
            fail(server, f"ORD-{number}")
        wait_until(lambda: len(here.heard) >= 2 and server.metric("filigree_alerts_sent_total") >= 2 and
                   server.metric("filigree_alerts_waiting") == 1, "who is there is told, who is away was not told yet")
        server.kill()
        server.start()
        away = harness.Sink(port=port)
        wait_until(lambda: away.messages() and server.metric("filigree_alerts_waiting") == 0, "who was away is told after the restart")
        number = the_incident(server)["id"]
        for sink in (here, away):
            message, = sink.messages()
            assert message["status"] == "firing" and message["key"] == f"incident/{number}", message
            labels = message["labels"]
            assert labels["alertname"] == "FiligreeIncident" and labels["owner"] == "dba" and labels["place"] == "database", labels
            assert labels["service"] == "mes-db" and labels["cause"] == "connection_limit" and labels["incident"] == number, labels
        manager = [body[0] for path, _, body in here.heard if path == "/api/v2/alerts"]
        assert manager and all("endsAt" not in one and one["labels"] == manager[0]["labels"] for one in manager), manager
        away.close()
        for order in range(5):
            recover(server, f"ORD-{order}")
        run(server, "incidents", "resolve", number, "--by", "Ann")
        # Since the start: the begin to who was away, the end to the two who are there. A message is counted once that is durable.
        wait_until(lambda: len(here.messages()) == 2 and server.metric("filigree_alerts_sent_total") >= 3 and
                   server.metric("filigree_alerts_waiting") == 1, "who is there is told of the end")
        server.kill()
        server.start()
        back = harness.Sink(port=port)
        wait_until(lambda: back.messages(), "who was away is told of the end after the restart")
        server.tell("crm-api", "POST /mail", "OTHER", error="boom")  # whose message comes behind what would be one too many
        for sink in (here, back):
            wait_until(lambda: any(one["labels"]["service"] == "crm-api" for one in sink.messages()), "the next incident is told")
        told = [[one["status"] for one in sink.messages() if one["key"] == f"incident/{number}"] for sink in (here, back)]
        assert told == [["firing", "resolved"], ["resolved"]], told
        manager = [one for path, _, body in here.heard if path == "/api/v2/alerts" for one in body if one["labels"]["incident"] == number]
        assert "endsAt" in manager[-1] and manager[-1]["labels"] == manager[0]["labels"], manager
        back.close()
        here.close()


def refuses(words, *options):
    """serve with these settings ends at once, and says why."""
    done = subprocess.run([BINARY, "serve", "--data", os.path.join(FOLDER, "refused"), "--flows", FLOW, *options], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 2 and words in done.stderr, (done.returncode, done.stderr)


def case_owners():
    """An owner is told of incidents at his places, once for each change, by a webhook of his own and with his own token, beside those that
    are told of everything; who was away is told after a restart, and nobody hears of another's place."""
    token, headers = os.path.join(FOLDER, "token"), os.path.join(FOLDER, "headers")
    for path, text in ((token, "s3cret\n"), (headers, "x-token: general\n")):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    everyone, dba, mes, port = harness.Sink(), harness.Sink(), harness.Sink(), harness.free_port()
    hooks = f"dba=http://127.0.0.1:{dba.port}/hook,mes team=http://127.0.0.1:{mes.port}/hook,mail=http://127.0.0.1:{port}/hook"
    options = ["--owners", "database/mes-db=dba,mes-api=mes team,mail-api=mail,*=on call", "--owner-webhooks", hooks,
               "--owner-tokens", f"dba={token}", "--alert-webhook", f"http://127.0.0.1:{everyone.port}/hook", "--alert-headers", headers]
    refuses('owners names no "dbb"', *options[:2], "--owner-webhooks", "dbb=http://127.0.0.1:1/")
    refuses("expected OWNER=ADDRESS", *options[:2], "--owner-webhooks", "http:")
    refuses('owner-webhooks names no "mes team"', *options[:2], "--owner-webhooks", "dba=http://127.0.0.1:1/", "--owner-tokens", "mes team=x")
    refuses('"dba" is there twice', *options[:2], "--owner-webhooks", "dba=http://127.0.0.1:1/,dba=http://127.0.0.1:2/")
    refuses("expected addresses like", *options[:2], "--owner-webhooks", "dba=ftp://127.0.0.1/")
    refuses('owner-webhooks names no "on call"', *options[:4], "--owner-instead", "on call")
    refuses('"dba" has an address of alert-webhook', *options[:4], "--alert-webhook", f"http://127.0.0.1:{dba.port}/hook", "--owner-instead", "dba")
    with Server(options=["--flows", FLOW, "--reserve", "16MiB", *options]) as server:
        server.start()
        fail(server, "ORD-1")
        server.tell("mes-api", "price", "ORD-2", error="boom")
        server.tell("mail-api", "POST /mail", "ORD-3", error="boom")
        server.tell("crm-api", "POST /crm", "ORD-4", error="boom")
        wait_until(lambda: len(everyone.messages()) == 4 and dba.messages() and mes.messages(), "all are told that have to be")
        assert {one["labels"].get("owner") for one in everyone.messages()} == {"dba", "mes team", "mail", "on call"}
        assert [one["labels"]["service"] for one in dba.messages()] == ["mes-db"] and dba.authorized == ["Bearer s3cret"]
        assert [one["labels"]["service"] for one in mes.messages()] == ["mes-api"] and mes.authorized == [None]
        assert {seen[1] for seen in everyone.heard} == {"general"} and {seen[1] for seen in dba.heard + mes.heard} == {None}, "whose headers are whose"
        wait_until(lambda: server.metric("filigree_alerts_waiting") == 1, "who is away was not told yet")
        server.kill()
        away = harness.Sink(port=port)
        server.start()
        wait_until(away.messages, "who was away is told after the restart")
        number, = (one["id"] for one in get(server, "/api/v1/incidents")["incidents"] if one["owner"] == "dba")
        run(server, "incidents", "resolve", number, "--by", "Ann")
        wait_until(lambda: len(dba.messages()) == 2 and len(everyone.messages()) == 5, "the end is told, too")
        assert [one["status"] for one in dba.messages()] == ["firing", "resolved"] and dba.authorized == ["Bearer s3cret"] * 2
        assert len(mes.messages()) == 1 and [one["labels"]["service"] for one in away.messages()] == ["mail-api"]
        for sink in (everyone, dba, mes, away):
            sink.close()


def case_instead():
    """An owner may be told in the place of those who are told of everything. Who was told of the begin before that was so is told of the
    end, and of nothing else."""
    everyone, dba, mes = harness.Sink(), harness.Sink(), harness.Sink()
    options = ["--flows", FLOW, "--reserve", "16MiB", "--owners", "database/mes-db=dba,mes-api=mes team", "--owner-webhooks",
               f"dba=http://127.0.0.1:{dba.port}/hook,mes team=http://127.0.0.1:{mes.port}/hook", "--alert-webhook",
               f"http://127.0.0.1:{everyone.port}/hook"]
    services = lambda sink: [(one["labels"]["service"], one["status"]) for one in sink.messages()]  # noqa: E731
    with Server(options=[*options, "--owner-instead", "mes team"]) as server:
        server.start()
        fail(server, "ORD-1")
        server.tell("mes-api", "price", "ORD-2", error="boom")
        wait_until(lambda: everyone.messages() and dba.messages() and mes.messages(), "all are told that have to be")
        wait_until(lambda: server.metric("filigree_alerts_waiting") == 0, "nobody is waited for")
        assert services(everyone) == services(dba) == [("mes-db", "firing")] and services(mes) == [("mes-api", "firing")]
        server.kill()
        server.options = [*options, "--owner-instead", "mes team,dba"]
        server.start()
        for one in get(server, "/api/v1/incidents")["incidents"]:
            run(server, "incidents", "resolve", one["id"], "--by", "Ann")
        wait_until(lambda: len(everyone.messages()) == 2 and len(dba.messages()) == 2 and len(mes.messages()) == 2, "the end is told")
        wait_until(lambda: server.metric("filigree_alerts_waiting") == 0, "nobody is waited for")
        server.tell("mes-api", "UPDATE prices", "ORD-3", kind="client", error="sorry, too many clients already",
                    db__system__name="postgresql", server__address="mes-db", db__response__status_code="53300")
        wait_until(lambda: len(dba.messages()) == 3, "what comes after is told to the owner")
        wait_until(lambda: server.metric("filigree_alerts_waiting") == 0, "nobody is waited for")
        assert services(everyone) == [("mes-db", "firing"), ("mes-db", "resolved")], services(everyone)
    for sink in (everyone, dba, mes):
        sink.close()


# -- Who listens


class Stream:
    """A client of server-sent events, by the byte."""

    def __init__(self, server, last_id=None, size=0):
        self.socket = socket.socket()
        self.socket.settimeout(60)
        if size:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        self.socket.connect(("127.0.0.1", server.api))
        again = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
        self.socket.sendall(f"GET /api/v1/journeys/events HTTP/1.0\r\nHost: 127.0.0.1\r\n{again}\r\n".encode())
        self.heard = b""

    def read(self):
        data = self.socket.recv(65536)
        self.heard += data
        return len(data)

    def until(self, word):
        while word not in self.heard:
            assert self.read(), f"the stream ended before {word}: {self.heard[-300:]}"
        return self.heard

    def close(self):
        self.socket.close()


def ship_many(server, begin, end):
    """Orders with names as long as may be, so that a buffer holds few of their changes."""
    spans = [harness.span(harness.new_trace_id(), name="ship", attributes={"order.id": f"ORD-{number:05}-" + "x" * 200}, kind=2)
             for number in range(begin, end)]
    assert server.send(harness.request(*spans, service="mes-api"))[0] == 200


def case_listeners():
    """Who reads slowly is let go and told so, who went is forgotten, both are counted; others hear every change meanwhile, and who comes
    again is told to read anew."""
    count = 2000
    with Server(options=["--flows", FLOW, "--reserve", "16MiB"]) as server:
        server.start()
        quick, slow, gone = Stream(server), Stream(server, size=4096), Stream(server, size=4096)
        for one in (quick, slow, gone):
            one.until(b"event: ready")
        assert server.metric("filigree_event_listeners") == 3
        gone.close()
        before = server.metric("process_resident_memory_bytes")
        for first in range(0, count, 100):  # fewer at once than are kept of changes
            ship_many(server, first, first + 100)
            while quick.heard.count(b'"state":"done"') < first + 100:
                assert quick.read(), "the quick one is let go, too"
        assert b"event: dropped" not in quick.heard and b"event: reset" not in quick.heard
        wait_until(lambda: slow.read() and b"event: dropped" in slow.heard, "the slow one is let go", 60)
        last = re.findall(rb"id: ([0-9a-f]+-[0-9]+)", slow.heard)[-1].decode()
        while slow.read():  # its stream ends
            pass
        assert slow.heard.count(b'"state":"done"') < count - 900, "it was not kept for it"
        wait_until(lambda: server.metric("filigree_event_listeners") == 1, "the slow one and the one that went are forgotten", 60)
        assert server.metric("filigree_event_listeners_dropped_total") == 1
        assert server.metric("process_resident_memory_bytes") - before < 64 << 20
        again = Stream(server, last)
        again.until(b"event: reset")
        for one in (quick, slow, again):
            one.close()


if __name__ == "__main__":
    try:
        CODE = harness.main(globals())
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(CODE)
