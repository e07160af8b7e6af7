#!/usr/bin/env python3
"""tls.py FILIGREE DRIVER EXAMPLE UNLOAD LIBRARY [CASE...]: libfiligree's TLS, against Python's (HTTP) and Node's (gRPC)."""
import contextlib
import os
import shutil
import ssl
import subprocess
import sys
import tempfile

from common import CASES, DRIVER, OK, GrpcSink, Sink, environment, harness, numbers, recover, run, trace_id
from authority import Authority  # noqa: E402 (common has said where)

PROTOCOLS = ("http/protobuf", "grpc")


@contextlib.contextmanager
def authorities():
    if not shutil.which("openssl"):
        raise harness.Skip("openssl is not installed")
    with tempfile.TemporaryDirectory() as folder:
        yield Authority(folder, "ours"), Authority(folder, "theirs")


def sink(protocol, key, certificate, authority=None):
    if protocol == "grpc":
        return GrpcSink({}, files=[key, certificate, *([authority] if authority else [])])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if authority:
        context.load_verify_locations(authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return Sink(OK, tls=context)


def settings(protocol, endpoint, prefix="OTEL_EXPORTER_OTLP_", **files):
    return environment(endpoint, OTEL_EXPORTER_OTLP_PROTOCOL=protocol, FILIGREE_EXIT_TIMEOUT="200",
                       **{prefix + name.upper(): path for name, path in files.items()})


def refused(env, *words, wrapper=()):
    """Nothing is sent, the failure is counted and said, with one of the words where some are given, and the program ends in time."""
    said, trouble = run("fails", 5, env=env, wrapper=wrapper)
    counts = numbers(said)
    assert counts["exported"] == 0 and counts["refused"] == 0 and counts["failed"] >= 1, (said, trouble)
    assert "did not go through" in trouble and (not words or any(word in trouble for word in words)), trouble
    assert trouble.count("did not go through") == 1, trouble


def accepted(env, wrapper=()):
    said, trouble = run("spans", 5, env=env, wrapper=wrapper)
    counts = numbers(said)
    assert counts["exported"] == 10 and counts["failed"] == 0, (said, trouble)


def case_the_server_is_checked():
    """a server of the given authority is trusted; of another, of none, or under another name it gets nothing"""
    with authorities() as (ours, theirs):
        certificate, key = ours.issue("server", "IP:127.0.0.1,DNS:localhost")
        for protocol in PROTOCOLS:
            with sink(protocol, key, certificate) as receiver:
                accepted(settings(protocol, receiver.endpoint, certificate=ours.file))
                assert receiver.span_count() == 10
                # The variable of traces alone comes before the general one.
                both = settings(protocol, receiver.endpoint, certificate=theirs.file)
                both["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"] = ours.file
                accepted(both)
                refused(settings(protocol, receiver.endpoint, certificate=theirs.file), "certificate", "issuer")
                refused(settings(protocol, receiver.endpoint), "certificate", "issuer")
                refused(settings(protocol, receiver.endpoint, certificate=ours.path("none.pem")), "none.pem", "certificate")
                assert receiver.span_count() == 20
        certificate, key = ours.issue("other", "DNS:other.example")
        for protocol in PROTOCOLS:
            with sink(protocol, key, certificate) as receiver:
                refused(settings(protocol, receiver.endpoint, certificate=ours.file), "subject name", "certificate")
                assert receiver.span_count() == 0


def case_the_given_authority_alone():
    """where an authority is given it alone is trusted, not the system's beside it; where none is, the system's are"""
    with authorities() as (ours, theirs):
        wrapper = theirs.as_the_systems("trusted")
        if not wrapper:
            raise harness.Skip("the system's authorities can't be replaced here")
        certificate, key = theirs.issue("server", "IP:127.0.0.1,DNS:localhost")
        for protocol in PROTOCOLS:
            with sink(protocol, key, certificate) as receiver:
                accepted(settings(protocol, receiver.endpoint), wrapper)
                refused(settings(protocol, receiver.endpoint, certificate=ours.file), "certificate", "issuer", wrapper=wrapper)
                assert receiver.span_count() == 10


def case_the_client_shows_its_certificate():
    """where the server wants a client certificate it gets the one that is set; without it, or with a stranger's, nothing is sent"""
    with authorities() as (ours, theirs):
        certificate, key = ours.issue("server", "IP:127.0.0.1")
        client_certificate, client_key = ours.issue("shop-api", "DNS:shop-api")
        bad_certificate, bad_key = theirs.issue("stranger", "DNS:stranger")
        for protocol in PROTOCOLS:
            with sink(protocol, key, certificate, ours.file) as receiver:
                accepted(settings(protocol, receiver.endpoint, certificate=ours.file, client_certificate=client_certificate, client_key=client_key))
                accepted(settings(protocol, receiver.endpoint, "OTEL_EXPORTER_OTLP_TRACES_", certificate=ours.file,
                                  client_certificate=client_certificate, client_key=client_key))
                assert set(receiver.peers) == {"shop-api"} and receiver.span_count() == 20, receiver.peers
                refused(settings(protocol, receiver.endpoint, certificate=ours.file))
                refused(settings(protocol, receiver.endpoint, certificate=ours.file, client_certificate=bad_certificate, client_key=bad_key))
                # How a server hangs up on a stranger has many words. A key of another pair is found here.
                refused(settings(protocol, receiver.endpoint, certificate=ours.file, client_certificate=client_certificate, client_key=bad_key),
                        "key", "certificate")
                assert receiver.span_count() == 20


def case_filigree_itself():
    """the library speaks TLS to the real server, with a client certificate, and what was exported is found there"""
    with authorities() as (ours, theirs):
        certificate, key = ours.issue("server", "IP:127.0.0.1,DNS:localhost")
        client_certificate, client_key = ours.issue("shop-api", "DNS:shop-api")
        bad_certificate, bad_key = theirs.issue("shop-api", "DNS:shop-api")
        options = ["--tls-cert", certificate, "--tls-key", key, "--tls-client-ca", ours.file, "--tls-client-auth", "require"]
        with harness.Server(options=options, tls=ssl.create_default_context(cafile=ours.file)).start() as server:
            for protocol, port in (("http/protobuf", server.http), ("grpc", server.grpc)):
                endpoint = f"https://127.0.0.1:{port}"
                before = server.metric("filigree_store_appended_spans_total")
                accepted(settings(protocol, endpoint, certificate=ours.file, client_certificate=client_certificate, client_key=client_key))
                assert server.metric("filigree_store_appended_spans_total") == before + 10
                refused(settings(protocol, endpoint, certificate=ours.file))
                refused(settings(protocol, endpoint, certificate=ours.file, client_certificate=bad_certificate, client_key=bad_key))
                said, trouble = run("spans", 5, 4000, env=settings(protocol, endpoint.replace("https", "http")))
                assert numbers(said)["exported"] == 0 and trouble, (said, trouble)
                assert server.metric("filigree_store_appended_spans_total") == before + 10
            harness.wait_until(lambda: server.metric('filigree_net_refused_total{reason="client_certificate"}') >= 4 and
                               server.metric('filigree_net_refused_total{reason="plain_text"}') >= 2, "they are counted")


def case_what_was_not_sent_is_not_lost():
    """spans that a wrong authority held back lie in the recorder, and arrive once it is right"""
    with authorities() as (ours, theirs), tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        certificate, key = ours.issue("server", "IP:127.0.0.1")
        with sink("http/protobuf", key, certificate) as receiver:
            env = settings("http/protobuf", receiver.endpoint, certificate=theirs.file)
            env.pop("FILIGREE_RECORDER")
            env["FILIGREE_RECORDER_DIR"] = folder
            done = subprocess.run([DRIVER, "open"], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True)
            assert len(os.listdir(folder)) == 1 and receiver.span_count() == 0
            status, result, said = recover(receiver.endpoint, folder, "--certificate", theirs.file)
            assert status == 3 and result["rings_left"] == 1, (status, result, said)
            status, result, said = recover(receiver.endpoint, folder, "--certificate", ours.file)
            assert status == 0 and result["interrupted_spans"] == 1 and "the program ended" in said, (status, result, said)
            assert bytes.fromhex(trace_id(done.stdout)) in receiver.bodies[-1]


if __name__ == "__main__":
    sys.exit(harness.main(globals(), CASES))
