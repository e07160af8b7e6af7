"""Spans for the tests of the pages, as OTLP JSON."""
import json


def value(one):
    if isinstance(one, bool):
        return {"boolValue": one}
    if isinstance(one, int):
        return {"intValue": str(one)}
    if isinstance(one, float):
        return {"doubleValue": one}
    if isinstance(one, list):
        return {"arrayValue": {"values": [value(part) for part in one]}}
    return {"stringValue": one}


def pairs(attributes):
    return [{"key": key, "value": value(one)} for key, one in attributes.items()]


def span(trace, span_id, parent, name, start_ms, length_ms, now_ns, attributes=None, error=None, kind=1, **more):
    """length_ms None: it has not ended. parent 0: a root."""
    start = now_ns + int(start_ms * 10**6)
    one = {"traceId": trace, "spanId": f"{span_id:016x}", "parentSpanId": f"{parent:016x}" if parent else "", "name": name, "kind": kind,
           "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + int(length_ms * 10**6)) if length_ms is not None else "0",
           "attributes": pairs(attributes or {}), **more}
    if error:
        one["status"] = {"code": 2, "message": error}
    return one


def send(server, by_service, resource=None):
    """by_service: spans by the name of their service."""
    body = {"resourceSpans": [
        {"resource": {"attributes": pairs({"service.name": service, "host.name": "mes-2", "service.version": "2.7.4", **(resource or {})})},
         "scopeSpans": [{"scope": {"name": "pages", "version": "1"}, "spans": spans}]} for service, spans in by_service.items()]}
    status, _, answer = server.send(json.dumps(body), "application/json")
    assert (status, answer) == (200, b"{}"), (status, answer)


def price_request(trace, now, fails=True, link=None, slow=1.0):
    """An order's price: over a queue to a process that dies while it computes."""
    died = {"filigree.marks": ["interrupted"], "filigree.interrupted.cause": "killed by SIGKILL"} if fails else {}

    def mes(span_id, parent, name, start, length, open_when=False, **more):
        dies = fails and open_when
        return span(trace, span_id, parent, name, start, length * slow, now, {**(died if dies else {}), **more.pop("attributes", {})},
                    "interrupted" if dies else None, **more)

    model = {"order.id": "ORD-104711", "model.key": "ring-0931-v2.stl", "model.bytes": 509607936}
    return {
        "crm-api": [
            span(trace, 1, 0, "POST /prices/request", 0, 412, now, model, kind=2, links=[{"traceId": link, "spanId": f"{1:016x}"}] if link else []),
            span(trace, 2, 1, "order.load", 6, 90, now), span(trace, 4, 1, "model.check", 98, 73, now),
            span(trace, 6, 1, "mes.orders publish", 182, 32, now, {"messaging.destination.name": "mes.orders"}, kind=4),
            span(trace, 19, 1, "order.mark", 220, 172, now), span(trace, 21, 1, "answer 202", 396, 15, now)],
        "SHOP DB": [span(trace, 3, 2, "SELECT orders", 10, 73, now, {"db.statement": "SELECT * FROM orders WHERE id = $1"}, kind=2),
                    span(trace, 20, 19, "UPDATE orders", 224, 164, now, kind=2)],
        "S3 models": [span(trace, 5, 4, "HEAD ring-0931-v2.stl", 111, 54, now, kind=2),
                      span(trace, 13, 12, "GET ring-0931-v2.stl", 7540, 4090, now, kind=2)],
        "mes-api": [
            mes(8, 6, "mes.orders process", 7402, 10700, True, kind=5), mes(9, 8, "message.decode", 7404, 5), mes(10, 8, "order.lock", 7410, 110),
            mes(12, 8, "model.fetch", 7530, 4110), mes(14, 8, "price.calculate", 11660, 6440, True), mes(16, 14, "mesh.load", 11730, 2170),
            mes(17, 14, "mesh.repair", 13900, 1410), mes(18, 14, "volume.integrate", 15310, 2780, True, attributes=model, events=[
                {"timeUnixNano": str(now + 17210 * 10**6), "name": "memory", "attributes": pairs({"memory.used": 1970000000, "memory.limit": 2000000000})}])],
        "MES DB": [span(trace, 11, 10, "SELECT … FOR UPDATE", 7412, 104, now, kind=2), span(trace, 15, 14, "SELECT metal_prices", 11700, 20, now, kind=2)],
    }
