// The outbox: what SHOP DB holds in table outbox and was not sent is published to the broker. The row is written in the same transaction
// as the order's new status, so an order survives a broker that is away, and a CRM API that dies.
//
// A row is sent when the broker has confirmed its message and has not returned it as one that no queue takes. A row that can't be sent is
// tried again after 1, 2, 4, 8, 15, 15 … seconds, or, while the broker is away, when it is back; later rows of its order wait behind it. A message may go out twice (this process dies
// between the confirm and the commit); it has the same message id then.
//
// Its trace goes on: the row's headers hold the context of the request that wrote it. The polling itself makes no spans.
"use strict";
const { createHash } = require("crypto");
const { ROOT_CONTEXT, SpanKind, SpanStatusCode, context, propagation, trace } = require("@opentelemetry/api");
const { Broker } = require("./broker");
const config = require("./config");
const faults = require("./faults");
const { sayOnce } = require("./log");
const shopDb = require("./shop_db");

const EXCHANGE = "orders";
const POLL_MS = 200;
const POLL_AWAY_MS = 2000;
const BATCH_MAX = 20;
const CONFIRM_MS = 10000;
const RETRY_MAX_MS = 15000;
/** Rows that wait for another try and are remembered; while there are so many, no new ones are begun. */
const FAILED_MAX = 5000;

const SELECT = `SELECT id, order_id, routing_key, body, headers, created_at FROM outbox o
  WHERE sent_at IS NULL AND id <> ALL ($1::bigint[])
    AND NOT EXISTS (SELECT FROM outbox e WHERE e.order_id = o.order_id AND e.id < o.id AND e.sent_at IS NULL)
  ORDER BY id LIMIT $2 FOR UPDATE OF o SKIP LOCKED`;

const tracer = trace.getTracer("crm-api");
const { hostname: brokerHost, port: brokerPort } = new URL(config.broker);

class Outbox {
  constructor() {
    this.broker = new Broker("publisher", (connection) => this.open(connection));
    /** Rows that failed, by id: {attempts, delayMs, dueMs}. */
    this.failed = new Map();
    /** Message ids that came back; looked at by their confirms, which come right after. */
    this.returned = new Set();
    this.timer = null;
    this.isStopped = false;
  }

  start() {
    this.broker.start();
    this.run();
  }

  async open(connection) {
    const channel = await connection.createConfirmChannel();
    await channel.checkExchange(EXCHANGE);
    this.returned.clear();
    for (const row of this.failed.values()) row.dueMs = Date.now();
    channel.on("return", (message) => this.returned.add(message.properties.messageId));
    return channel;
  }

  /** One round after the other; a full one is followed by the next at once. */
  async run() {
    let pauseMs = POLL_MS;
    try {
      if ((await this.round()) === BATCH_MAX) pauseMs = 0;
      sayOnce("outbox", "is read");
    } catch (error) {
      sayOnce("outbox", `can't be read: ${error.message}`);
      pauseMs = POLL_AWAY_MS;
    }
    if (!this.isStopped) this.timer = setTimeout(() => (this.running = this.run()), pauseMs);
  }

  /** Sends what is due; returns how many rows it took. */
  round() {
    const { isUsable, trouble } = this.broker;
    if (!isUsable && !trouble) return Promise.resolve(0); // it is still connecting for the first time
    const nowMs = Date.now();
    if (isUsable) for (const [id, { dueMs }] of this.failed) if (dueMs < nowMs - 60000) this.failed.delete(id);
    // That the broker is away is noted once in a row's trace, not each time again.
    const waiting = [...this.failed].filter(([, { dueMs }]) => !isUsable || dueMs > nowMs).map(([id]) => id);
    const room = Math.min(BATCH_MAX, FAILED_MAX - waiting.length);
    if (room <= 0) return Promise.resolve(0);
    return shopDb.transaction(async (client) => {
      const { rows } = await client.query(SELECT, [waiting, room]);
      const relays = await Promise.all(rows.map((row) => this.relay(row)));
      for (const { row, span, context: within, error } of relays) {
        try {
          if (error) this.postpone(row);
          else await context.with(within, () => client.query("UPDATE outbox SET sent_at = now() WHERE id = $1", [row.id]));
        } finally {
          span.end();
        }
      }
      for (const { row, error } of relays) if (!error) this.failed.delete(row.id);
      return rows.length;
    });
  }

  postpone(row) {
    const before = this.failed.get(row.id) ?? { attempts: 0, delayMs: 500 };
    const delayMs = Math.min(before.delayMs * 2, RETRY_MAX_MS);
    this.failed.set(row.id, { attempts: before.attempts + 1, delayMs, dueMs: Date.now() + delayMs });
  }

  /** Publishes a row's message in a span that goes on with the trace of who wrote it. Never throws: {row, span, context, error}. */
  async relay(row) {
    let parent = propagation.extract(ROOT_CONTEXT, row.headers ?? {});
    const baggage = propagation.getBaggage(parent) ?? propagation.createBaggage();
    parent = propagation.setBaggage(parent, baggage.setEntry("order.id", { value: row.order_id }));
    const attributes = { "outbox.id": row.id, "outbox.attempt": (this.failed.get(row.id)?.attempts ?? 0) + 1 };
    const span = tracer.startSpan("outbox.relay", { attributes }, parent);
    const within = trace.setSpan(parent, span);
    try {
      await context.with(within, () => this.publish(row));
      sayOnce("messages", "are published");
      return { row, span, context: within };
    } catch (error) {
      sayOnce("messages", `${row.order_id} could not be published: ${error.message}`);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      return { row, span, context: within, error };
    }
  }

  async publish(row) {
    const { channel, isUsable, trouble } = this.broker;
    if (!isUsable) throw this.noteAbsence(trouble ?? new Error("not connected"));
    const message = messageOf(row);
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        // The channel's end calls back for all that it has not confirmed.
        this.broker.lose(this.broker.connection, Object.assign(new Error(`no confirm within ${CONFIRM_MS} ms`), { code: "timeout" }));
      }, CONFIRM_MS);
      const options = { mandatory: true, persistent: true, contentType: "application/json", messageId: message.id, timestamp: Math.floor(Date.now() / 1000) };
      channel.publish(EXCHANGE, message.routingKey, message.content, options, (refusal) => {
        clearTimeout(timer);
        const error = this.outcome(message, refusal);
        if (!error) return resolve();
        // The instrumentation's span of this publish is current here, and ends after this.
        trace.getActiveSpan()?.setAttribute("error.type", error.code).setStatus({ code: SpanStatusCode.ERROR, message: error.message });
        reject(error);
      });
    });
  }

  /** What became of a message: null when it lies in a queue. */
  outcome(message, refusal) {
    const wasReturned = this.returned.delete(message.id);
    if (refusal && this.broker.trouble) return Object.assign(new Error(`connection lost: ${this.broker.trouble.message}`), { code: "ECONNRESET" });
    if (refusal) return Object.assign(new Error("the broker did not take it (nack)"), { code: "nack" });
    if (wasReturned) return Object.assign(new Error(`returned by the broker: NO_ROUTE for ${message.routingKey}`), { code: "NO_ROUTE" });
    return null;
  }

  /** The instrumentation knows only what is published; that nothing could be is a span of our own. */
  noteAbsence(trouble) {
    const error = Object.assign(new Error(`broker not available: ${trouble.message || trouble.code}`), { code: trouble.code ? String(trouble.code) : "unavailable" });
    const attributes = {
      "messaging.system": "rabbitmq",
      "messaging.destination.name": EXCHANGE,
      "messaging.operation.type": "send",
      "server.address": brokerHost,
      "server.port": Number(brokerPort || 5672),
      "error.type": error.code,
    };
    const span = tracer.startSpan(`publish ${EXCHANGE}`, { kind: SpanKind.PRODUCER, attributes });
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    span.end();
    return error;
  }

  async stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
    await this.running;
    await this.broker.stop();
  }
}

/** The message of a row, as it goes out: the same id each time. */
function messageOf(row) {
  const hash = createHash("sha256").update(`${row.order_id} ${row.id} ${new Date(row.created_at).toISOString()}`).digest("hex");
  const id = `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-8${hash.slice(17, 20)}-${hash.slice(20, 32)}`;
  const body = faults.isOn("bad_message") ? oldFormat(row.body) : row.body;
  const routingKey = faults.isOn("wrong_route") ? row.routing_key.replace("order.", "orders.") : row.routing_key;
  return { id, routingKey, content: Buffer.from(JSON.stringify(body)) };
}

/** Fault bad_message: the format of before, whose order number had another name and whose version was a text. */
function oldFormat({ order_id, version, ...rest }) {
  return { ...rest, order: order_id, version: `v${version}` };
}

module.exports = { Outbox };
