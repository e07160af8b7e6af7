#!/usr/bin/env python3
"""curl.py FILIGREE DRIVER [CASE...]: libfiligree-curl against HTTP servers and a real S3 server."""
import http.server
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness  # noqa: E402
from instrument import one, run, spans  # noqa: E402
from servers import RealServer  # noqa: E402

DRIVER = sys.argv[2]


class Site:
    """Answers with the status that the path names, and remembers the requests."""

    def __init__(self):
        site = self
        self.requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                size = int(self.headers.get("Content-Length") or 0)
                site.requests.append((self.command, self.path, self.headers, self.rfile.read(size)))
                word = self.path.split("?")[0].split("/")[1]
                if word == "slow":
                    time.sleep(3)
                body = b"hello"
                self.send_response(302 if word == "moved" else int(word) if word.isdigit() else 200)
                if word == "moved":
                    self.send_header("Location", "/200/there")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_PURGE = answer

            def log_message(self, *_):
                pass

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def case_request_is_a_span_and_carries_context():
    """a request is a client span; the program's headers, the context and the journey reach the server; no secret is kept"""
    with harness.Server().start() as server, Site() as site:
        url = f"http://anna:secret@127.0.0.1:{site.port}/200/orders?token=abc&page="
        trace, said = run(DRIVER, ["easy", "header", "X-Shop: moscow", "header", "X-Two: 2", "template", "/{status}/orders", url, url], server)
        assert said == ["0 200 hello"] * 2, said
        found = spans(server, trace)
        first, second = [span for span in found if span.name == "GET /{status}/orders"]
        assert first.kind == "CLIENT" and first.parent == one(found, "test").id and not first.status, first
        assert first.has(http__request__method="GET", server__address="127.0.0.1", server__port=site.port,
                         http__response__status_code=200, http__response__body__size=5, network__peer__port=site.port,
                         network__protocol__version="1.1", url__template="/{status}/orders", order__id="ORD-4711"), first
        assert first["url.full"] == f"http://REDACTED:REDACTED@127.0.0.1:{site.port}/200/orders?token=REDACTED&page", first
        assert first["filigree.http.connection_reused"] is False and second["filigree.http.connection_reused"] is True, found
        assert first["filigree.http.connect_us"] > 0 and first["filigree.http.first_byte_us"] > 0, first
        assert [span.parent for span in found if span.name == "in.callback"] == [first.id, second.id], found
        for (_, _, headers, _), span in zip(site.requests, (first, second)):
            assert headers["traceparent"] == f"00-{trace}-{span.id}-01", headers
            assert headers["baggage"] == "order.id=ORD-4711;journey", headers
            assert headers["X-Shop"] == "moscow" and headers["X-Two"] == "2", headers
        assert "secret" not in str(found) and "abc" not in str(found)


def case_methods_and_sizes():
    """methods as the options make them, an unknown one as _OTHER, bytes sent"""
    with harness.Server().start() as server, Site() as site:
        for options, name, size in ((["data", "a=1"], "POST", 3), (["upload", "12345"], "PUT", 5), (["method", "HEAD"], "HEAD", None),
                                    (["method", "DELETE"], "DELETE", None), (["method", "PURGE"], "HTTP", None)):
            trace, said = run(DRIVER, ["easy", *options, f"{site.url}/200/x"], server)
            assert said[0].startswith("0 200"), said
            span = one(spans(server, trace), name)
            assert span["http.request.body.size"] == size, span
            if name == "HTTP":
                assert span.has(http__request__method="_OTHER", http__request__method_original="PURGE"), span
            else:
                assert span["http.request.method"] == name == site.requests[-1][0], span


def case_failures_are_errors():
    """statuses of 400 and more, refused connections, unknown hosts and timeouts are errors with a type; redirects are counted"""
    with harness.Server().start() as server, Site() as site:
        for url, kind, options in ((f"{site.url}/404/x", "404", []), (f"{site.url}/503/x", "503", []),
                                   ("http://127.0.0.1:1/x", "CURLE_COULDNT_CONNECT", []),
                                   ("http://no.such.host.invalid/x", "CURLE_COULDNT_RESOLVE_HOST", []),
                                   (f"{site.url}/slow/x", "timeout", ["timeout", "200"])):
            trace, _ = run(DRIVER, ["easy", *options, url], server)
            span = one(spans(server, trace), "GET")
            assert span.status and span["error.type"] == kind, span
            assert span["server.address"] in url, span
        trace, _ = run(DRIVER, ["easy", "follow", "1", f"{site.url}/moved/x", f"{site.url}/302/x"], server)
        followed, left = [span for span in spans(server, trace) if span.name == "GET"]
        assert followed["http.request.resend_count"] == 1 and followed["url.full"].endswith("/moved/x") and not followed.status, followed
        assert left["url.full"].endswith("/302/x") and left["http.response.status_code"] == 302 and not left.status, left


def case_context_is_kept_back_where_told():
    """a context of the program's own stays, propagation can be off, and a handle of libcurl itself is left as it is"""
    with harness.Server().start() as server, Site() as site:
        own = "00-11111111111111111111111111111111-2222222222222222-01"
        run(DRIVER, ["easy", "header", f"traceparent: {own}", f"{site.url}/200/x"], server)
        assert site.requests[-1][2].get_all("traceparent") == [own]
        trace, _ = run(DRIVER, ["easy", "quiet", "1", f"{site.url}/200/x"], server)
        assert site.requests[-1][2]["traceparent"] is None and one(spans(server, trace), "GET")
        trace, _ = run(DRIVER, ["plain", "header", "X-Shop: moscow", f"{site.url}/200/x"], server)
        assert site.requests[-1][2]["traceparent"] is None and site.requests[-1][2]["X-Shop"] == "moscow"
        assert one(spans(server, trace), "GET")["http.response.status_code"] == 200
        trace, said = run(DRIVER, ["easy", f"file://{os.path.abspath(__file__)}"], server)
        assert "curl.py FILIGREE" in said[0] and len([span for span in spans(server, trace) if span.name != "in.callback"]) == 1, said
        trace, _ = run(DRIVER, ["easy", f"{site.url}/200/x"], server, OTEL_SDK_DISABLED="true")
        assert site.requests[-1][2]["baggage"] == "order.id=ORD-4711;journey", "disabled: contexts are passed on"


def case_multi():
    """transfers of a multi handle are spans of their own; one that is removed early is cancelled"""
    with harness.Server().start() as server, Site() as site:
        trace, said = run(DRIVER, ["multi", "header", "X-Shop: moscow", f"{site.url}/200/a", f"{site.url}/404/b"], server)
        assert sorted(line[:5] for line in said) == ["0 200", "0 404"], said
        found = [span for span in spans(server, trace) if span.name == "GET"]
        assert sorted(str(span["error.type"]) for span in found) == ["404", "None", "cancelled"], found
        ids = {headers["traceparent"].split("-")[2] for _, _, headers, _ in site.requests}
        assert ids == {span.id for span in found if span["error.type"] != "cancelled"}, (ids, found)
        assert all(headers["X-Shop"] == "moscow" for _, _, headers, _ in site.requests)
        assert {span.parent for span in found} == {one(spans(server, trace), "test").id}


def case_forks():
    """a fork while other threads look up handles leaves no lock behind"""
    with harness.Server().start() as server:
        _, said = run(DRIVER, ["forks"], server, seconds=1200)
        assert said == ["hung 0"], said


def case_s3():
    """a real S3 server takes signed requests with context; they are named by operation, bucket and key, with error codes"""
    with RealServer("swift") as store, harness.Server().start() as server:
        base = f"http://127.0.0.1:{store.port}"
        signed = ["user", "test:tester:testing", "sign", "aws:amz:us-east-1:s3", "header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]

        def ask(*words, name):
            trace, said = run(DRIVER, ["easy", *signed, *words], server)
            return said[0], one(spans(server, trace), name)

        said, span = ask("method", "PUT", f"{base}/models", name="S3.CreateBucket")
        assert said.startswith("0 200") and span.has(aws__s3__bucket="models", aws__s3__key=None) and not span.status, (said, span)
        said, span = ask("upload", "solid ring", f"{base}/models/2026/ORD%204711.stl", name="S3.PutObject")
        assert said.startswith("0 200"), said
        assert span.kind == "CLIENT" and span.has(rpc__system="aws-api", rpc__service="S3", rpc__method="PutObject", aws__s3__bucket="models",
                                                  aws__s3__key="2026/ORD 4711.stl", cloud__region="us-east-1", http__request__body__size=10,
                                                  http__request__method="PUT", http__response__status_code=200), span
        assert span["aws.request_id"].startswith("tx") and span["order.id"] == "ORD-4711", span
        said, span = ask(f"{base}/models/2026/ORD%204711.stl", name="S3.GetObject")
        assert said == "0 200 solid ring" and span["http.response.body.size"] == 10, (said, span)
        said, span = ask(f"{base}/models/none.stl", name="S3.GetObject")
        assert "<Code>NoSuchKey</Code>" in said and span.status and span["error.type"] == "NoSuchKey", (said, span)
        assert span["http.response.status_code"] == 404, span
        _, span = ask("method", "HEAD", f"{base}/models/none.stl", name="S3.HeadObject")
        assert span.status and span["error.type"] == "404", span
        said, span = ask(f"{base}/models?list-type=2&prefix=2026", name="S3.ListObjectsV2")
        assert "ORD 4711.stl" in said and not span.status, (said, span)
        _, span = ask("method", "DELETE", f"{base}/models", name="S3.DeleteBucket")
        assert span["error.type"] == "BucketNotEmpty", span
        _, span = ask("user", "test:tester:wrong", f"{base}/models", name="S3.ListObjects")
        assert span["error.type"] == "SignatureDoesNotMatch", span
        os.kill(store.process_id("object"), 9)
        _, span = ask("upload", "solid ring", f"{base}/models/x.stl", name="S3.PutObject")
        assert span.status and span["http.response.status_code"] in (500, 503), span


if __name__ == "__main__":
    sys.exit(harness.main(globals(), sys.argv[3:]))
