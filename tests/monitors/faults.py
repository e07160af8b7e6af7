#!/usr/bin/env python3
"""faults.py FILIGREE [CASE...]: real servers are broken in each way that a monitor must see, and healed again.

Prints a table: fault, what was expected, what was seen, after how many seconds. FAULTS=all (`make monitor-faults`) makes every
fault; without it the more telling half. Between the faults, and before them, no monitor may change its mind.
"""
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness  # noqa: E402
import hostile  # noqa: E402
from amqp import Consumer  # noqa: E402
from servers import RealServer  # noqa: E402
from watch import ALL, TABLE, Watch  # noqa: E402

LOOKS = 240 if ALL else 40  # of health: 240 are what an hour has at the usual interval


def descendants(process):
    """A process and all below it: PostgreSQL's have sessions of their own."""
    found = [process]
    for one in found:
        with open(f"/proc/{one}/task/{one}/children", encoding="ascii") as file:
            found += [int(word) for word in file.read().split()]
    return found


def pause(processes):
    for one in processes:
        os.kill(one, signal.SIGSTOP)

    def go_on():
        for one in reversed(processes):
            os.kill(one, signal.SIGCONT)
    return go_on


# -- PostgreSQL


class Session:
    """An application's session: psql that reads statements as they are said."""

    def __init__(self, server, application, user="shop"):
        program = shutil.which("psql")
        if not program:
            raise harness.Skip("psql is not installed")
        self.words = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [program, "-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-p", str(server.port), "-U", user, "postgres"],
            stdin=subprocess.PIPE, stdout=self.words, stderr=self.words, text=True,
            env={**os.environ, "PGPASSWORD": "shop", "PGAPPNAME": application})

    def say(self, sql):
        self.process.stdin.write(sql + "\n")
        self.process.stdin.flush()

    def answer(self):
        """What it has been told so far."""
        return harness.said_in(self.words)

    def is_in(self):
        return "in\n" in self.answer() or self.process.poll() is not None or "FATAL" in self.answer()

    def end(self):
        self.process.kill()
        self.process.communicate()


def end_all(server, *sessions):
    """Also of what they run."""
    for session in sessions:
        session.end()
    server.call("sql", "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'shop'")


def prepare_postgres(primary):
    primary.call("sql", "create role filigree login password 'watch'; grant pg_monitor to filigree; create role shop login password 'shop'; "
                        "create table orders (id int primary key, state text); insert into orders select i, 'new' from generate_series(1, 10) i; "
                        "grant all on orders to shop")


def write_log(primary, megabytes):
    primary.call("sql", f"create table junk as select repeat(md5(i::text), 30) from generate_series(1, {megabytes * 1000}) i; drop table junk")


def fill_connections(watch, primary):
    sessions = []

    def end():
        end_all(primary, *sessions)
    with watch.fault("connection limit reached", "db", "degraded", "connection_limit", words=["shop-api"]) as heal:
        heal(end)
        for _ in range(25):
            sessions.append(Session(primary, "shop-api"))
            sessions[-1].say("\\echo in")
            harness.wait_until(sessions[-1].is_in, "psql says something")
            if "FATAL" in sessions[-1].answer() or sessions[-1].process.poll() is not None:
                break
        else:
            raise AssertionError("25 sessions were let in")


def block(watch, primary):
    holder, waiter = Session(primary, "crm-api"), Session(primary, "mes-api")
    with watch.fault("a transaction holds a lock", "db", "degraded", "lock_wait",
                     words=["crm-api", "idle in transaction", "UPDATE orders SET state = ? WHERE id = ?"]) as heal:
        heal(lambda: end_all(primary, holder, waiter))
        holder.say("BEGIN; UPDATE orders SET state = 'secret-4711' WHERE id = 7;\n\\echo in")
        harness.wait_until(holder.is_in, "the lock is held")
        waiter.say("UPDATE orders SET state = 'late' WHERE id = 7;")
    text = json.dumps(watch.get("db")["looks"])
    assert "lock_wait" in text and "secret-4711" not in text, text[:500]


def run_long(watch, primary):
    session = Session(primary, "report")
    with watch.fault("a statement runs long", "db", "degraded", "slow_query",
                     words=["report", "select pg_sleep(?) from orders where state = ?"]) as heal:
        heal(lambda: end_all(primary, session))
        session.say("select pg_sleep(600) from orders where state = 'new';")


def lose_replica(watch, primary, replica):
    with watch.fault("the replica is stopped", "db", "degraded", "replica_missing", also=["replica"], words=["0 of 1"]) as heal:
        heal(replica.start)
        replica.stop()
        watch.until("replica", "down", "unreachable")
    if not ALL:
        return
    session = Session(primary, "mes-api")
    with watch.fault("a commit waits for a lost standby", "db", "degraded", "replica_missing", also=["replica"], words=["commit"]) as heal:
        heal(replica.start)
        heal(lambda: primary.call("sql", "alter system reset synchronous_standby_names"))
        heal(lambda: primary.call("sql", "select pg_reload_conf()"))
        heal(lambda: end_all(primary, session))
        primary.call("sql", "alter system set synchronous_standby_names = '*'")
        primary.call("sql", "select pg_reload_conf()")
        replica.stop()
        session.say("update orders set state = 'paid' where id = 3;")
        harness.wait_until(lambda: any("commit" in finding["text"] and "waits up to" in finding["text"]
                                       for finding in watch.look("db")["findings"]), "the commit waits")


def delay_replica(watch, primary, replica):
    with watch.fault("the replica replays nothing", "db", "degraded", "replica_lag", also=["replica"]) as heal:
        heal(lambda: replica.call("sql", "select pg_wal_replay_resume()"))
        replica.call("sql", "select pg_wal_replay_pause()")
        write_log(primary, 2)
        watch.until("replica", "degraded", "replica_lag")


def keep_log(watch, primary):
    with watch.fault("a slot that nobody reads", "db", "degraded", "slot_inactive", words=["forgotten"]) as heal:
        heal(lambda: primary.call("sql", "select pg_drop_replication_slot('forgotten')"))
        primary.call("sql", "select pg_create_physical_replication_slot('forgotten', true)")
        write_log(primary, 4)


def stop_postgres(watch, primary):
    with watch.fault("paused (SIGSTOP, all processes)", "db", "unknown", "no_answer", also=["replica"]) as heal:
        heal(pause(descendants(primary.process_id())))
    if not ALL:
        return
    with watch.fault("paused (SIGSTOP, the postmaster alone)", "db", "degraded", "unreachable", words=["held"]) as heal:
        heal(pause([primary.process_id()]))
    with watch.fault("stopped", "db", "down", "unreachable", also=["replica"], words=["refused"]) as heal:
        heal(primary.start)
        primary.stop()
    with watch.fault("the standby of a stopped primary", "replica", "degraded", "replica_missing", also=["db"]) as heal:
        heal(primary.start)
        primary.stop()


def deny_postgres(watch, primary):
    with watch.fault("another password", "db", "unknown", "access_denied") as heal:
        heal(lambda: primary.call("sql", "alter role filigree password 'watch'"))
        primary.call("sql", "alter role filigree password 'other'")
    with watch.fault("no pg_monitor", "db", "unknown", "permission", also=["replica"], words=["GRANT pg_monitor TO filigree"]) as heal:
        heal(lambda: primary.call("sql", "grant pg_monitor to filigree"))
        primary.call("sql", "revoke pg_monitor from filigree")


def case_postgresql():
    """PostgreSQL and its replica: each fault is seen for what it is, and healed; health is never doubted"""
    with RealServer("postgres", "--set", "max_connections=14") as primary:
        prepare_postgres(primary)
        with RealServer("postgres", "--replica-of", primary.folder) as replica:
            watch = Watch()
            common = {"kind": "postgresql", "host": "127.0.0.1", "user": "filigree", "password-file": watch.secret("password", "watch\n")}
            watch.add({"name": "db", **common, "port": primary.port, "role": "primary", "replicas-expected": 1, "slow-query": "2s", "lock-wait": "1s",
                       "replica-lag": "3s", "slot-bytes": "1MiB"},
                      {"name": "replica", **common, "port": replica.port, "role": "replica", "replica-lag": "2s"})
            with watch:
                watch.is_well(LOOKS)
                fill_connections(watch, primary)
                block(watch, primary)
                run_long(watch, primary)
                delay_replica(watch, primary, replica)
                lose_replica(watch, primary, replica)
                stop_postgres(watch, primary)
                if ALL:
                    keep_log(watch, primary)
                    deny_postgres(watch, primary)
                watch.check_no_false_change()


# -- RabbitMQ


class Api:
    """The management's API, with all rights."""

    def __init__(self, broker):
        self.url = f"http://127.0.0.1:{broker.words['management']}/api/"

    def ask(self, verb, path, body=None):
        request = urllib.request.Request(self.url + path, method=verb, data=None if body is None else json.dumps(body).encode(), headers={
            "Content-Type": "application/json", "Authorization": "Basic " + base64.b64encode(b"guest:guest").decode()})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def publish(self, exchange, key, count=1):
        """The API answers 400 to a message that a full queue refuses."""
        for _ in range(count):
            try:
                self.ask("POST", f"exchanges/%2F/{exchange}/publish",
                         {"properties": {}, "routing_key": key, "payload": "{}", "payload_encoding": "string"})
            except urllib.error.HTTPError as answer:
                assert answer.code == 400, answer

    def policy(self, **definition):
        self.ask("PUT", "policies/%2F/limit", {"pattern": "^mes\\.limited$", "definition": definition, "apply-to": "queues"})


def prepare_rabbit(broker, api):
    broker.call("ctl", "add_user", "filigree", "watch")
    broker.call("ctl", "set_user_tags", "filigree", "monitoring")
    broker.call("ctl", "set_permissions", "-p", "/", "filigree", "^$", "^$", "^$")
    for queue in ("mes.orders", "mes.limited", "mes.dead"):
        api.ask("PUT", f"queues/%2F/{queue}", {"durable": True})
    for exchange, kind in (("crm.events", "topic"), ("crm.inner", "direct")):
        api.ask("PUT", f"exchanges/%2F/{exchange}", {"type": kind, "durable": True})
    api.ask("POST", "bindings/%2F/e/crm.events/e/crm.inner", {"routing_key": "order.#"})
    api.ask("POST", "bindings/%2F/e/crm.inner/q/mes.orders", {"routing_key": "order.created"})


def fill_queue(watch, api):
    for overflow, words in (("drop-head", ["dropped and lost"]), ("reject-publish", ["refused"])):
        with watch.fault(f"a full queue, {overflow}", "limited", "degraded", "full", words=words) as heal:
            heal(lambda: api.ask("DELETE", "policies/%2F/limit"))
            heal(lambda: api.ask("DELETE", "queues/%2F/mes.limited/contents"))
            api.policy(**{"max-length": 3, "overflow": overflow})
            api.publish("amq.default", "mes.limited", 5)
    if not ALL:
        return
    with watch.fault("a queue full by bytes", "limited", "degraded", "full") as heal:
        heal(lambda: api.ask("DELETE", "policies/%2F/limit"))
        heal(lambda: api.ask("DELETE", "queues/%2F/mes.limited/contents"))
        api.policy(**{"max-length-bytes": 8})
        api.publish("amq.default", "mes.limited", 5)
    with watch.fault("dead letters", "limited", "degraded", "rejected", words=["mes.dead"]) as heal:
        heal(lambda: api.ask("DELETE", "queues/%2F/mes.dead/contents"))
        api.publish("amq.default", "mes.dead")


def lose_consumer(watch, broker, api, consumers):
    with watch.fault("no consumer", "broker", "degraded", "gone", words=["mes.orders"]) as heal:
        heal(lambda: consumers.append(Consumer(broker.port, "mes.orders")))
        consumers.pop().close()
    if not ALL:
        return
    with watch.fault("a consumer that takes nothing", "broker", "degraded", "falling_behind", words=["depth-max"]) as heal:
        heal(lambda: consumers.append(Consumer(broker.port, "mes.orders")))
        heal(lambda: consumers.pop(0).close())
        consumers.append(Consumer(broker.port, "mes.orders", takes=False))
        consumers.pop(0).close()
        api.publish("amq.default", "mes.orders", 8)


def lose_binding(watch, api):
    with watch.fault("a binding is removed", "broker", "degraded", "wrong_route", words=["mes.orders", "binding"]) as heal:
        heal(lambda: api.ask("POST", "bindings/%2F/e/crm.inner/q/mes.orders", {"routing_key": "order.created"}))
        api.ask("DELETE", "bindings/%2F/e/crm.inner/q/mes.orders/order.created")
    with watch.fault("messages that no queue takes", "broker", "degraded", "unroutable", also=["limited"]) as heal:
        # Again and again: the broker may forget to count what a channel did that is closed before it has looked.
        heal(again_and_again(lambda: api.publish("crm.inner", "order.misspelt", 3)))


def again_and_again(act):
    """Does it at once, and each second until what this returns is called."""
    over = threading.Event()

    def run():
        while not over.wait(1):
            act()
    act()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def end():
        over.set()
        thread.join()
    return end


def raise_alarms(watch, broker):
    with watch.fault("memory alarm", "broker", "degraded", "alarm_memory", also=["limited"]) as heal:
        heal(lambda: broker.call("ctl", "set_vm_memory_high_watermark", "0.6"))
        broker.call("ctl", "set_vm_memory_high_watermark", "0.0001")
    if not ALL:
        return
    with watch.fault("disk alarm", "broker", "degraded", "alarm_disk", also=["limited"]) as heal:
        heal(lambda: broker.call("ctl", "set_disk_free_limit", "50MB"))
        broker.call("ctl", "set_disk_free_limit", "900000GB")


def stop_rabbit(watch, broker, consumers):
    with watch.fault("paused (SIGSTOP)", "broker", "unknown", "no_answer", also=["limited"]) as heal:
        heal(pause([broker.process_id()]))
    if not ALL:
        return
    with watch.fault("the plugin is switched off", "broker", "unknown", "configuration", also=["limited"], words=["rabbitmq_management"]) as heal:
        heal(lambda: broker.call("ctl", "eval", "application:start(rabbitmq_management)."))
        broker.call("ctl", "eval", "application:stop(rabbitmq_management).")
    with watch.fault("stopped", "broker", "down", "unreachable", also=["limited"], seconds=90) as heal:
        heal(broker.start)
        heal(lambda: consumers.append(Consumer(broker.port, "mes.orders")))
        broker.stop()
        consumers.clear()


def deny_rabbit(watch, broker):
    with watch.fault("another password", "broker", "unknown", "access_denied", also=["limited"]) as heal:
        heal(lambda: broker.call("ctl", "change_password", "filigree", "watch"))
        broker.call("ctl", "change_password", "filigree", "other")
    with watch.fault("no access to the virtual host", "broker", "unknown", "permission", also=["limited"], words=["set_permissions"]) as heal:
        heal(lambda: broker.call("ctl", "set_permissions", "-p", "/", "filigree", "^$", "^$", "^$"))
        broker.call("ctl", "clear_permissions", "-p", "/", "filigree")


def case_rabbitmq():
    """RabbitMQ: alarms, full queues, lost consumers and bindings are seen and told apart; health is never doubted"""
    # Statistics come every second instead of every five in the short form.
    with RealServer("rabbitmq", "--management", str(harness.free_port()), *([] if ALL else ["--set", "collect_statistics_interval=1000"])) as broker:
        api = Api(broker)
        prepare_rabbit(broker, api)
        consumers = [Consumer(broker.port, "mes.orders")]
        watch = Watch()
        common = {"kind": "rabbitmq", "url": f"http://127.0.0.1:{broker.words['management']}", "user": "filigree", "amqp-port": broker.port,
                  "password-file": watch.secret("password", "watch\n")}
        watch.add({"name": "broker", **common, "queues": ["mes.orders"], "routes": ["crm.events -> order.created -> mes.orders"], "depth-max": 4,
                   "unroutable-for": "6s"},
                  {"name": "limited", **common, "queues": ["mes.lim*"], "consumers-min": 0, "dead-letter-queues": ["mes.dead"],
                   "unroutable-for": "6s"})
        with watch:
            watch.until("broker", "ok")  # its figures need some seconds
            watch.until("limited", "ok")
            watch.is_well(LOOKS)
            raise_alarms(watch, broker)
            fill_queue(watch, api)
            lose_consumer(watch, broker, api, consumers)
            lose_binding(watch, api)
            stop_rabbit(watch, broker, consumers)
            if ALL:
                deny_rabbit(watch, broker)
            watch.check_no_false_change()


# -- S3

# The proxy forgives its disks' server at once instead of after a minute; and there is a slow storage class.
STORE_OPTIONS = ("--set", "proxy.error_suppression_interval=0", *(("--tape", "4") if ALL else ()))


class Bucket:
    """Requests that are signed by Signature Version 4."""

    def __init__(self, store):
        self.store = store

    def ask(self, verb, path):
        moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {"host": f"127.0.0.1:{self.store.port}", "x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-date": moment}
        names = ";".join(headers)
        request = "\n".join([verb, f"/{path}", "", *(f"{name}:{value}" for name, value in headers.items()), "", names, "UNSIGNED-PAYLOAD"])
        scope = f"{moment[:8]}/us-east-1/s3/aws4_request"
        key = b"AWS4testing"
        for word in scope.split("/"):
            key = hmac.digest(key, word.encode(), "sha256")
        text = "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        headers["authorization"] = f"AWS4-HMAC-SHA256 Credential=test:tester/{scope}, SignedHeaders={names}, Signature={signature}"
        server = http.client.HTTPConnection("127.0.0.1", self.store.port, timeout=60)
        with contextlib.closing(server):
            server.request(verb, f"/{path}", headers=headers)
            answer = server.getresponse()
            return answer.status, answer.read().decode()

    def make(self, name):
        """Also where it is there already."""
        status, body = self.ask("PUT", name)
        assert status == 200 or "BucketAlreadyOwnedByYou" in body, (status, body)

    def delete_bucket(self, watch, name):
        """While Filigree stands still: an empty moment between the canaries of several monitors may never come."""
        def is_gone():
            for key in re.findall("<Key>([^<]*)</Key>", self.ask("GET", name)[1]):
                self.ask("DELETE", f"{name}/{key}")
            return self.ask("DELETE", name)[0] in (204, 404)
        go_on = pause([watch.server.process.pid])
        try:
            harness.wait_until(is_gone, f"the bucket {name} is empty, and deleted", 60)
        finally:
            go_on()


def reach_quota(watch, store):
    with watch.fault("the bucket's quota is reached", "s3", "degraded", "out_of_space", also=["slow-s3"], words=["quota"]) as heal:
        heal(lambda: store.call("bucket", "models", "X-Container-Meta-Quota-Bytes: "))
        store.call("bucket", "models", "X-Container-Meta-Quota-Bytes: 1000")


def slow_down(watch, proxy):
    def mend():
        proxy.bytes_per_second = 0
    with watch.fault("a slow way (a proxy)", "slow-s3", "degraded", "slow", words=["floor"]) as heal:
        heal(mend)
        proxy.bytes_per_second = 15000
    if ALL:
        with watch.fault("a way that takes too long for a canary", "slow-s3", "degraded", "slow") as heal:
            heal(mend)
            proxy.bytes_per_second = 2500


def change_class(watch, store, bucket):
    """A policy is for ever: the bucket is made anew."""
    def mend():
        bucket.delete_bucket(watch, "parts")
        bucket.make("parts")
    with watch.fault("a bucket of the wrong storage class", "class", "degraded", "slow", words=["floor"]) as heal:
        heal(mend)
        bucket.delete_bucket(watch, "parts")
        store.call("bucket", "parts", "X-Storage-Policy: tape")


def stop_store(watch, store):
    others = [name for name in watch.monitors if name != "s3"]
    with watch.fault("paused (SIGSTOP)", "s3", "unknown", "no_answer", also=others) as heal:
        heal(pause(descendants(store.process_id("proxy"))))
    if not ALL:
        return
    with watch.fault("its disks' server is stopped", "s3", "down", "unreachable", also=others) as heal:
        heal(end_one(store, "object"))
    with watch.fault("stopped", "s3", "down", "unreachable", also=others, words=["refused"]) as heal:
        heal(store.start)
        store.stop()
    with watch.fault("the disk is full", "s3", "degraded", "out_of_space", also=others, words=["can still read"]) as heal:
        heal(lambda: restart(store))
        restart(store, "--set", "object.fallocate_reserve=99%")


def end_one(store, name):
    """Ends one of the store's servers; what is returned starts it again, with its own command."""
    process = store.process_id(name)
    with open(f"/proc/{process}/cmdline", "rb") as file:
        command = file.read().decode().split("\0")[:-1]
    os.kill(process, signal.SIGKILL)

    def begin():
        again = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        with open(f"/proc/{again.pid}/stat", encoding="ascii") as file:
            begun = file.read().rsplit(")", 1)[1].split()[19]
        with open(os.path.join(store.folder, "run", name), "w", encoding="ascii") as file:
            file.write(f"{again.pid} {begun}\n")
    return begin


def restart(store, *options):
    store.stop()
    store.options = (*STORE_OPTIONS, *options)
    store.start()


def deny_store(watch, bucket):
    path = watch.monitors["s3"]["secret-key-file"]

    def give(text):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    with watch.fault("another secret key", "s3", "unknown", "access_denied", also=["slow-s3"]) as heal:
        heal(lambda: give("testing"))
        give("wrong")
    with watch.fault("the bucket is deleted", "s3", "down", "unreachable", also=["slow-s3"], words=["is gone"]) as heal:
        heal(lambda: bucket.make("models"))
        bucket.delete_bucket(watch, "models")


def case_s3():
    """the object store: full, slow, paused, half dead are told apart; canaries leave nothing; health is never doubted"""
    with RealServer("swift", *STORE_OPTIONS) as store, hostile.Slowly(store.port) as proxy:
        bucket = Bucket(store)
        bucket.make("models")
        watch = Watch()
        common = {"kind": "s3", "bucket": "models", "access-key": "test:tester", "secret-key-file": watch.secret("key", "testing"),
                  "size": "64KiB", "interval": "500ms"}
        watch.add({"name": "s3", **common, "url": f"http://127.0.0.1:{store.port}"},
                  {"name": "slow-s3", **common, "url": f"http://127.0.0.1:{proxy.port}", "floor": "30KB", "time-limit": "12s"})
        if ALL:
            bucket.make("parts")
            watch.add({"name": "class", **common, "bucket": "parts", "url": f"http://127.0.0.1:{store.port}", "floor": "25KB", "time-limit": "20s"})
        # What a run that was killed left behind, ten minutes ago, and what is somebody else's.
        assert bucket.ask("PUT", f"models/filigree-canary/{time.time_ns() - 11 * 60 * 10**9:016x}-{7:016x}")[0] == 200
        assert bucket.ask("PUT", "models/filigree-canary/somebody-elses")[0] == 200
        with watch:
            watch.is_well(LOOKS if ALL else 8)
            reach_quota(watch, store)
            slow_down(watch, proxy)
            if ALL:
                change_class(watch, store, bucket)
            stop_store(watch, store)
            if ALL:
                deny_store(watch, bucket)
            watch.check_no_false_change()
            watch.server.end()
            status, listing = bucket.ask("GET", "models")
            # What was sent to a store that was paused may be written after it was deleted; it is looked for ten minutes later.
            keys = re.findall("<Key>filigree-canary/([^<]*)</Key>", listing)
            left = [key for key in keys if not re.fullmatch("[0-9a-f]{16}-[0-9a-f]{16}", key) or not watch.is_excused(int(key[:16], 16))]
            assert status == 200 and left == ([] if ALL else ["somebody-elses"]), listing


# -- Servers that nobody wants


def monitors_of_hostile(kind, port, secret):
    if kind == "postgresql":
        return {"kind": kind, "host": "127.0.0.1", "port": port, "password-file": secret}
    if kind == "rabbitmq":
        return {"kind": kind, "url": f"http://127.0.0.1:{port}", "password-file": secret, "amqp-port": port}
    return {"kind": kind, "url": f"http://127.0.0.1:{port}", "bucket": "models", "access-key": "key", "secret-key-file": secret}


def test_file(folder, monitors):
    """`filigree monitor test`: the reports by name, and the most memory that the process had, in MiB."""
    path = os.path.join(folder, "monitors.yaml")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"monitors": monitors}, file)
    process = subprocess.Popen([harness.BINARY, "monitor", "test", path, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, err = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, 1), (process.returncode, err)
    return {report["name"]: report for report in map(json.loads, out.splitlines())}, usage.ru_maxrss / 1024


def case_hostile():
    """hangs, gigabytes, nonsense, other versions: unknown with the reason, in time and memory that are bounded, and never down"""
    http_servers = {"hangs": (hostile.hang, "no_answer"), "closes": (hostile.close, "not_understood"),
                    "nonsense": (hostile.talk_nonsense, "not_understood"), "a gigabyte": (hostile.http_endless, "not_understood"),
                    "header without end": (hostile.http_endless_header, "not_understood"),
                    "another page": (hostile.http("200 OK", b"<html>hello</html>"), "not_understood"),
                    "other rights": (hostile.http("403 Forbidden", b"{}"), None)}
    plan = {"postgresql": {"hangs": (hostile.hang, "no_answer"), "closes": (hostile.close, "not_understood"),
                           "nonsense": (hostile.talk_nonsense, "not_tls"), "a row of a gigabyte": (hostile.postgres(b"15.3"), "not_understood"),
                           "greeting without end": (hostile.postgres_endless_greeting, "not_understood"),
                           "version 9.6": (hostile.postgres(b"9.6.1"), "not_understood"), "version 42": (hostile.postgres(b"42.0"), "not_understood"),
                           "28P01": (hostile.postgres_refusing(b"28P01"), "access_denied"), "XX000": (hostile.postgres_refusing(b"XX000"), "not_understood")},
            "rabbitmq": http_servers, "s3": http_servers}
    with tempfile.TemporaryDirectory(prefix="filigree-hostile-", dir=os.environ.get("TMPDIR") or "/var/tmp") as folder:
        secret = os.path.join(folder, "secret")
        with open(secret, "w", encoding="ascii") as file:
            file.write("s3cr3t-of-mine")
        listeners, monitors, expected = [], [], {}
        for kind, servers in plan.items():
            for name, (serve, code) in servers.items():
                listeners.append(hostile.Listener(serve))
                label = f"{kind}-{name.replace(' ', '-')}"
                limit = "1s" if code == "no_answer" else "20s"
                monitors.append({"name": label, "time-limit": limit, **monitors_of_hostile(kind, listeners[-1].port, secret)})
                expected[label] = code
        start = time.monotonic()
        reports, most = test_file(folder, monitors)
        took = time.monotonic() - start
        for listener in listeners:
            listener.__exit__()
        assert set(reports) == set(expected), (set(expected) - set(reports))
        for name, code in expected.items():
            report = reports[name]
            found = report["findings"][0]["code"] if report["findings"] else "none"
            TABLE.row(name, f"unknown {code or ''}", f"{report['result']} {found}", f"{report['took_ns'] / 1e9:.1f}")
            assert report["result"] == "unknown" and code in (None, found), report
            assert report["took_ns"] < 30e9, report  # they would go on for ever
        assert "s3cr3t" not in json.dumps(reports)
        print(f"# {len(reports)} checks in {took:.1f} s, {most:.0f} MiB at most", flush=True)
        assert most < 100, most


def at_once(cases):
    """Each case in a process of its own, since most of a case is waiting; their words one after the other."""
    processes = [subprocess.Popen([sys.executable, __file__, harness.BINARY, case], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                 for case in cases]
    failed = 0
    for process in processes:
        words, _ = process.communicate()
        print(words, end="", flush=True)
        failed += process.returncode != 0
    return 1 if failed else 0


def case_outage():
    """a store that is down stays down, however long it lasts, though no canary of it could be deleted"""
    watch = Watch()
    key = watch.secret("key", "testing")
    body = b"<Error><Code>ServiceUnavailable</Code></Error>"
    with hostile.Listener(hostile.http("503 Service Unavailable", body, "application/xml")) as sick:
        common = {"kind": "s3", "bucket": "models", "access-key": "key", "secret-key-file": key, "size": "4KiB"}
        watch.add({"name": "sick", **common, "url": f"http://127.0.0.1:{sick.port}"},
                  {"name": "gone", **common, "url": f"http://127.0.0.1:{harness.free_port()}"})
        with watch:
            for name in ("sick", "gone"):
                watch.until(name, "down", "unreachable")
                for _ in range(40):  # more than are remembered
                    codes = [finding["code"] for finding in watch.look(name)["findings"]]
                    assert codes == ["unreachable"], (name, codes)


if __name__ == "__main__":
    sys.exit(harness.main(globals(), sys.argv[2:]) if ALL or sys.argv[2:] else at_once(["hostile", "outage", "postgresql", "rabbitmq", "s3"]))
