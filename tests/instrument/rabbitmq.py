#!/usr/bin/env python3
"""rabbitmq.py FILIGREE DRIVER [CASE...]: libfiligree-rabbitmq against a real RabbitMQ."""
import contextlib
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness  # noqa: E402
from instrument import environment, one, run, spans  # noqa: E402
from servers import RealServer  # noqa: E402

DRIVER = sys.argv[2]
STACK = contextlib.ExitStack()
REAL = {}
HELLO = ["connect", "guest"]


def real():
    """Filigree, and a RabbitMQ for all cases."""
    if not REAL:
        REAL["rabbitmq"] = STACK.enter_context(RealServer("rabbitmq"))
        REAL["filigree"] = STACK.enter_context(harness.Server().start())
    return REAL["filigree"], REAL["rabbitmq"]


def ask(*words, **more):
    server, broker = real()
    trace, said = run(DRIVER, [broker.port, *words], server, **more)
    return trace, spans(server, trace), said


def case_a_message_carries_its_context():
    """a publish is a producer span; the consumer's process span is its child and link, in the same trace, with the journey"""
    server, broker = real()
    trace, found, said = ask(*HELLO, "journey", "ORD-4711", "queue", "q.carry", "usual", "publish", "amq.direct", "key.of", "hello")
    assert "publish 0" in said, said
    sent = one(found, "publish amq.direct:key.of")
    assert sent.kind == "PRODUCER" and sent.parent == one(found, "test").id and not sent.status, sent
    assert sent.has(messaging__system="rabbitmq", messaging__operation__name="publish", messaging__operation__type="send",
                    messaging__destination__name="amq.direct:key.of", messaging__rabbitmq__destination__routing_key="key.of",
                    messaging__message__body__size=5, server__address="127.0.0.1", server__port=broker.port, order__id="ORD-4711"), sent
    assert one(found, "connect").kind == "CLIENT" and one(found, "login")["server.port"] == broker.port, found
    message_id = sent["messaging.message.id"]
    assert re.fullmatch("[0-9a-f]{48}", message_id), sent
    own, other, said = ask(*HELLO, "ambient", "consume", "q.carry", "take", "ack")
    assert own != trace and f"take hello id={message_id} traceparent=00-{trace}-{sent.id}-01 baggage=order.id=ORD-4711;journey" in said, said
    found = spans(server, trace)
    done = one(found, "process amq.direct:key.of:q.carry")
    assert done.kind == "CONSUMER" and done.parent == sent.id and done.links == [sent.id] and not done.status, done
    assert done.has(messaging__operation__type="process", messaging__message__id=message_id, messaging__destination__subscription__name="q.carry",
                    messaging__rabbitmq__message__delivery_tag=1, filigree__amqp__redelivered=False, order__id="ORD-4711"), done
    assert one(found, "work").parent == done.id and one(found, "work")["order.id"] == "ORD-4711"
    ack = one(found, "ack amq.direct:key.of:q.carry")
    assert ack.kind == "CLIENT" and ack.parent == done.id and ack["messaging.operation.type"] == "settle", ack
    assert not [span for span in other if span.kind == "CONSUMER"]


def case_properties_of_the_program_stay():
    """the program's headers, message id and context stay as they are"""
    _, found, said = ask(*HELLO, "queue", "q.own", "usual", "own", "q.own", "body", "own", "q.own", "own-context", "consume", "q.own",
                         "take", "ack", "take", "ack")
    first, second = [span for span in found if span.name == "publish q.own"]
    assert f"take body id=message-1 shop=7 traceparent=00-{first.raw['traceId']}-{first.id}-01" in said, said
    assert "take own-context id=message-1 shop=7 traceparent=00-11111111111111111111111111111111-2222222222222222-01" in said, said
    assert first.has(messaging__message__id="message-1", messaging__message__conversation_id="talk-1"), first
    assert second.links == ["2222222222222222"], second


def case_nothing_is_traced():
    """without tracing a message gets no id that several would share, but the journey"""
    server, broker = real()
    _, said = run(DRIVER, [broker.port, *HELLO, "journey", "ORD-2", "queue", "q.off", "usual", "publish", "", "q.off", "x", "consume", "q.off",
                           "take", "ack"], server, OTEL_SDK_DISABLED="true")
    assert "take x id= baggage=order.id=ORD-2;journey" in said, said


def case_an_ambient_span_stays_the_parent():
    """where a span is current, a delivery is under it, and links to its producer"""
    _, found, _ = ask(*HELLO, "journey", "ORD-1", "queue", "q.ambient", "usual", "publish", "", "q.ambient", "x", "consume", "q.ambient", "take", "ack")
    sent, done = one(found, "publish q.ambient"), one(found, "process q.ambient")
    assert done.parent == one(found, "test").id and done.links == [sent.id] and done["order.id"] == "ORD-1", done


def case_confirms_and_returns():
    """a confirmed message is fine; one that no queue takes is the error NO_ROUTE; one that is refused, nack"""
    _, found, said = ask(*HELLO, "queue", "q.confirm", "usual", "confirm", "publish", "", "q.confirm", "1", "publish", "amq.direct", "no.such", "2", "wait")
    assert said[-1] == "wait 0 confirmed 1 refused 0 returned 1 code 312", said
    fine, lost = one(found, "publish q.confirm"), one(found, "publish amq.direct:no.such")
    assert not fine.status and fine["filigree.amqp.confirmed"] is True, fine
    assert lost.status and lost["error.type"] == "NO_ROUTE" and lost.message == "312 NO_ROUTE" and lost["filigree.amqp.reply_code"] == 312, lost
    _, found, said = ask(*HELLO, "queue", "q.small", "small", "confirm", *(["publish", "", "q.small", "x"] * 5), "wait")
    sent = [span for span in found if span.name == "publish q.small"]
    refused = [span for span in sent if span.status]
    assert 0 < len(refused) < 5 and all(span["error.type"] == "nack" for span in refused), (said, sent)
    _, found, said = ask(*HELLO, "confirm", "publish", "amq.direct", "no.such", "2", "publish", "amq.direct", "none", "3", "frames")
    assert [span["error.type"] for span in found if span.kind == "PRODUCER"] == ["NO_ROUTE"] * 2, (said, found)


def case_a_return_without_confirms():
    """without confirms a returned message is a span of its own, under the one that published it"""
    _, found, said = ask(*HELLO, "publish", "amq.direct", "no.such", "2", "frames")
    sent, lost = one(found, "publish amq.direct:no.such"), one(found, "return amq.direct:no.such")
    assert not sent.status and lost.parent == sent.id and lost.status and lost["error.type"] == "NO_ROUTE", (said, lost)


def case_a_wrong_exchange():
    """a channel that is closed for its exchange's lack makes the message an error; what is not confirmed at the end is one too"""
    _, found, said = ask(*HELLO, "confirm", "publish", "no.exchange", "k", "2", "wait")
    lost = one(found, "publish no.exchange:k")
    assert lost.status and lost["error.type"] == "NOT_FOUND" and "no exchange 'no.exchange'" in lost.message, (said, lost)
    _, found, _ = ask(*HELLO, "queue", "q.end", "usual", "confirm", "publish", "", "q.end", "2", "close")
    assert one(found, "publish q.end")["error.type"] == "unconfirmed", found


def case_refused_deliveries():
    """nack and reject are spans, and make the delivery an error with a reason; redelivered says so"""
    for how, kind, verb in (("nack", "nack", "nack"), ("reject", "rejected", "reject"), ("fail", "FormatError", "reject")):
        _, found, said = ask(*HELLO, "queue", "q.refuse", "usual", "publish", "", "q.refuse", "x", "consume", "q.refuse", "take", how)
        done = one(found, "process q.refuse")
        assert done.status and done["error.type"] == kind, (said, done)
        assert one(found, f"{verb} q.refuse").parent == done.id and one(found, f"{verb} q.refuse")["filigree.amqp.requeue"] is False
        assert not one(found, f"{verb} q.refuse").status
    _, found, said = ask(*HELLO, "queue", "q.again", "usual", "publish", "", "q.again", "x", "consume", "q.again", "take", "requeue", "take", "ack")
    first, again = [span for span in found if span.name == "process q.again"]
    assert first["filigree.amqp.redelivered"] is False and again["filigree.amqp.redelivered"] is True, (said, found)


def case_several_at_once_and_on_other_threads():
    """acknowledging up to a message settles those before it; an envelope may be finished on another thread"""
    _, found, said = ask(*HELLO, "queue", "q.many", "usual", *(["publish", "", "q.many", "x"] * 4), "consume", "q.many",
                         *(["take", "keep"] * 3), "upto", "take", "hand")
    assert one([span for span in found if span["messaging.batch.message_count"]], "ack q.many")["messaging.batch.message_count"] == 3, (said, found)
    assert len([span for span in found if span.name == "process q.many" and not span.status]) == 4
    last = [span for span in found if span.name == "process q.many"][-1]
    assert one(found, "elsewhere").parent == last.id and last.ns > 0


def case_polling():
    """basic.get of a message is a receive span with a link; an empty queue is none"""
    _, found, said = ask(*HELLO, "journey", "ORD-9", "queue", "q.poll", "usual", "publish", "", "q.poll", "x", "get", "q.poll", "get", "q.poll")
    assert said[-3:] == ["get ok", "baggage ORD-9", "get empty"], said
    got = one(found, "receive q.poll")
    assert got.kind == "CLIENT" and got.links == [one(found, "publish q.poll").id] and got["messaging.operation.type"] == "receive", got
    _, found, said = ask(*HELLO, "get", "q.none")
    assert one(found, "receive q.none")["error.type"] == "NOT_FOUND", (said, found)


def case_no_broker():
    """no broker, a wrong password, and a broker that is killed are errors of their own kind; NULL does no harm"""
    server, broker = real()
    trace, said = run(DRIVER, [1, *HELLO, "null"], server)
    span = one(spans(server, trace), "connect")
    assert span.status and span["error.type"] == "AMQP_STATUS_SOCKET_ERROR" and "could not connect" in span.message, span
    assert span.has(server__address="127.0.0.1", server__port=1), span
    assert said[-1] == "null 0 1", said
    _, found, _ = ask("connect", "wrong")
    assert one(found, "login")["error.type"] == "ACCESS_REFUSED", found
    process = subprocess.Popen([DRIVER, str(broker.port), *HELLO, "queue", "q.killed", "usual", "confirm", "pause", "publish", "", "q.killed", "x",
                                "wait", "publish", "", "q.killed", "y"], env=environment(server), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    lines = [process.stdout.readline() for _ in range(5)]
    os.kill(broker.process_id(), 9)
    said, _ = process.communicate("\n", timeout=60)
    broker.stop()
    found = spans(server, lines[0].split("-")[1])
    lost = [span for span in found if span.name == "publish q.killed"]
    assert len(lost) == 2 and all(span.status and span["error.type"].startswith("AMQP_STATUS_") for span in lost), (said, lost)
    assert "connection closed" in lost[0].message, lost


if __name__ == "__main__":
    with STACK:
        sys.exit(harness.main(globals(), sys.argv[3:]))
