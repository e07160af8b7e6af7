"""The company in one process and in memory, for tests of the pages and of the traffic: the routes of SHOP API and MES API, with what the
machines between them do happening at once. It can be told to fail."""
import http.server
import json
import os
import re
import threading
import time

STEPS = {  # what, at which API: from which status to which
    ("SHOP", "submit"): ("MODEL_UPLOADED", "SUBMITTED"), ("SHOP", "approve"): ("PRICE_CALCULATED", "MANUFACTURING_APPROVED"),
    ("SHOP", "close"): ("SHIPPED", "CLOSED"), ("MES", "start"): ("MANUFACTURING_APPROVED", "MANUFACTURING_STARTED"),
    ("MES", "finish"): ("MANUFACTURING_STARTED", "MANUFACTURING_COMPLETED"), ("MES", "pack"): ("MANUFACTURING_COMPLETED", "PACKAGING"),
    ("MES", "ship"): ("PACKAGING", "SHIPPED")}
KINDS = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css"}


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


class Company:
    """Used with `with`. `trouble(api, method, path)` may answer None, a status (which is then answered, nothing done), "lost": done, but not
    answered, or "skipped": answered 200 with the order as it was, nothing done. `requests` has (api, method, path, body, headers) of all but those that are not to be sampled, in their order; `polls` counts these."""

    def __init__(self, pages=None, endpoint="", ports=(0, 0)):
        self.pages, self.endpoint = pages, endpoint
        self.lock = threading.RLock()
        self.orders = {}
        self.requests = []
        self.polls = 0
        self.polls_about = 0
        self.faults = []
        self.prices = True
        self.trouble = lambda api, method, path: None
        self.servers = [Server(("127.0.0.1", port), self.handler(api)) for api, port in zip(("SHOP", "MES"), ports)]
        self.shop, self.mes = (f"http://127.0.0.1:{server.server_address[1]}" for server in self.servers)

    def __enter__(self):
        for server in self.servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def handler(company, api):  # noqa: N805  the class inside has a self of its own
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                file = company.file(api, self.path) if self.command == "GET" else None
                if file:
                    return self.answer(200, *file)
                is_poll = self.headers.get("traceparent", "").endswith("-00")
                with company.lock:
                    company.polls += is_poll
                    company.polls_about += is_poll and "baggage" in self.headers
                    if not is_poll:
                        company.requests.append((api, self.command, self.path, body, dict(self.headers)))
                    trouble = company.trouble(api, self.command, self.path)
                    if isinstance(trouble, int):
                        status, content = trouble, {"error": "unavailable", "message": "told to fail"}
                    elif trouble == "skipped":
                        status, content = 200, company.orders[self.path.split("/")[2]]
                    else:
                        status, content = company.do(api, self.command, self.path, body)
                if trouble == "lost":
                    self.close_connection = True
                    return None
                return self.answer(status, "application/json", json.dumps(content).encode())

            def answer(self, status, kind, content):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do
        return Handler

    def file(self, api, path):
        """Kind and bytes of a page's file."""
        name = {"/": f"{api.lower()}.html"}.get(path) or (path[1:] if re.fullmatch(r"/assets/[\w.]+", path) else None)
        if not name or not self.pages or not os.path.exists(os.path.join(self.pages, name)):
            return None
        with open(os.path.join(self.pages, name), "rb") as file:
            return KINDS[os.path.splitext(name)[1]], file.read()

    def do(self, api, method, path, body):
        if path == "/config.json":
            return 200, {"otlp_endpoint": self.endpoint, "service": f"{api.lower()}-page"}
        if path == "/faults.json":
            return 200, {"faults": self.faults}
        if path.startswith("/orders?"):
            return 200, {"orders": list(reversed(self.orders.values()))[:50]}
        if (method, path) == ("POST", "/orders"):
            name = f"ORD-{len(self.orders) + 1:06d}"
            said = json.loads(body)
            self.orders[name] = {"id": name, "status": "INITIATED", "version": 1, "customer": said["customer"], "piece": said["piece"], "model_key": None,
                                 "price_cents": None, "seller": None, "operator": None, "updated_at": now()}
            return 201, self.orders[name]
        found = re.fullmatch(r"/orders/(ORD-\d{6})(?:/(\w+))?", path)
        order = self.orders.get(found[1]) if found else None
        if not order:
            return 404, {"error": "not_found", "message": f"there is nothing at {path}"}
        return self.step(api, method, order, found[2], body)

    def step(self, api, method, order, what, body):
        if what is None and method == "GET":
            return 200, order
        if what == "model" and method == "PUT":
            old, new = ("INITIATED", "MODEL_UPLOADED")
            if len(body) < 84 or len(body) != 84 + 50 * int.from_bytes(body[80:84], "little"):
                return 400, {"error": "bad_model", "message": "that is no binary STL"}
        elif what == "cancel":
            old, new = (order["status"], "CANCELLED")
        elif (api, what) in STEPS:
            old, new = STEPS[api, what]
        else:
            return 404, {"error": "not_found", "message": "no such step"}
        if order["status"] != old or old == new or order["status"] == "CLOSED":
            return 409, {"error": "wrong_status", "message": f"{order['id']} is {order['status']}"}
        said = json.loads(body) if body and what != "model" else {}
        order.update({key: said[key] for key in ("seller", "operator") if key in said}, status=new, version=order["version"] + 1, updated_at=now())
        answer = dict(order)
        if what == "submit" and self.prices:
            order.update(status="PRICE_CALCULATED", version=order["version"] + 1, price_cents=12900)
        return 200, answer


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
