// What MES tells: messages of exchange `mes` in queue `crm.events` change the order's status, version and price in SHOP DB.
//
// A message that breaks the schema, names an order that is not there, or is refused by SHOP DB, is rejected, and the
// queue's dead letters are kept in `crm.events.dead`. While SHOP DB is away
// messages stay in the queue and are tried again. Messages may come twice, and late: only one with a greater version than the order's counts,
// and none for an order that is closed or cancelled.
"use strict";
const fs = require("fs");
const { SpanStatusCode, trace } = require("@opentelemetry/api");
const Ajv = require("ajv");
const { Broker } = require("./broker");
const config = require("./config");
const { say } = require("./log");
const shopDb = require("./shop_db");

const QUEUE = "crm.events";
const AT_ONCE = 8;
const RETRY_MAX_MS = 8000;

const UPDATE = `UPDATE orders SET status = $2, version = $3, price_cents = coalesce($4, price_cents), updated_at = now()
  WHERE id = $1 AND version < $3 AND status NOT IN ('CLOSED', 'CANCELLED') RETURNING id`;

/** A message that no repetition makes better. */
class Refusal extends Error {
  constructor(type, message) {
    super(message);
    this.type = type;
  }
}

class Events {
  constructor() {
    const schema = JSON.parse(fs.readFileSync(config.schema, "utf8"));
    this.isValid = new Ajv({ strict: false, validateFormats: false }).compile(schema);
    this.broker = new Broker("consumer", (connection) => this.open(connection));
    /** How often in a row the database could not be used. */
    this.failures = 0;
  }

  start() {
    this.broker.start();
  }

  async open(connection) {
    const channel = await connection.createChannel();
    await channel.checkQueue(QUEUE);
    await channel.prefetch(AT_ONCE);
    await channel.consume(QUEUE, (message) => {
      if (message) this.take(channel, message);
      else this.broker.lose(connection, new Error(`the queue ${QUEUE} is gone`));
    });
    return channel;
  }

  /** Its span, which the instrumentation began, is current; ack, nack and reject end it. */
  async take(channel, message) {
    const span = trace.getActiveSpan();
    try {
      const event = this.parse(message.content);
      span?.setAttributes({ "order.id": event.order_id, "message.type": event.type });
      const isNews = await this.apply(event);
      if (isNews) span?.setAttributes({ "order.status": statusOf(event), "order.version": event.version });
      else span?.setAttribute("message.outdated", true);
      this.failures = 0;
      if (this.broker.channel === channel) channel.ack(message);
    } catch (error) {
      span?.recordException(error);
      span?.setAttribute("error.type", error.type || error.code || error.name);
      span?.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      this.giveBack(channel, message, error);
    }
  }

  /** A lost channel gives its messages back by itself. */
  giveBack(channel, message, error) {
    if (!shopDb.isAway(error)) {
      say(`message ${message.properties.messageId} refused: ${error.message}`);
      if (this.broker.channel === channel) channel.reject(message, false);
      return;
    }
    const pauseMs = Math.min(500 * 2 ** Math.min(this.failures++, 10), RETRY_MAX_MS);
    say(`message ${message.properties.messageId} can't be worked on, again in ${pauseMs} ms: ${error.message}`);
    setTimeout(() => {
      if (this.broker.channel === channel) channel.nack(message, false, true);
    }, pauseMs);
  }

  parse(content) {
    let event;
    try {
      event = JSON.parse(content.toString("utf8"));
    } catch (error) {
      throw new Refusal("schema_violation", `no JSON: ${error.message}`);
    }
    if (!this.isValid(event)) {
      const first = this.isValid.errors.find((one) => one.keyword !== "oneOf") ?? this.isValid.errors[0];
      throw new Refusal("schema_violation", `against the schema: ${first.instancePath || "message"} ${first.message}`);
    }
    if (!statusOf(event)) throw new Refusal("schema_violation", `${event.type} is nothing that MES tells`);
    return event;
  }

  /** Returns whether the order changed. */
  async apply(event) {
    const changed = await shopDb.pool.query(UPDATE, [event.order_id, statusOf(event), event.version, event.price_cents ?? null]);
    if (changed.rowCount > 0) return true;
    const known = await shopDb.pool.query("SELECT version FROM orders WHERE id = $1", [event.order_id]);
    if (known.rowCount === 0) throw new Refusal("unknown_order", `there is no order ${event.order_id}`);
    return false;
  }

  stop() {
    return this.broker.stop();
  }
}

function statusOf(event) {
  return { "mes.price_calculated": "PRICE_CALCULATED", "mes.status_changed": event.status }[event.type];
}

module.exports = { Events };
