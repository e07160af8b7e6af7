// What sellers do: POST /orders/:id/approve.
"use strict";
const express = require("express");
const { context, propagation, trace } = require("@opentelemetry/api");
const shopDb = require("./shop_db");

const COLUMNS = "id, status, version, customer, piece, model_key, price_cents, seller, created_at, updated_at";
const SELLER_SIZE_MAX = 100;

/** The company's own hook: the order of the address is on this request's span, and travels as baggage with all that follows. */
function nameOrder(request, response, next) {
  const value = request.params.id;
  trace.getActiveSpan()?.setAttribute("order.id", value);
  const baggage = propagation.getActiveBaggage() ?? propagation.createBaggage();
  context.with(propagation.setBaggage(context.active(), baggage.setEntry("order.id", { value })), next);
}

class Refused extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** PRICE_CALCULATED becomes MANUFACTURING_APPROVED, and the outbox tells MES, both or neither. */
function approve(id, seller) {
  return shopDb.transaction(async (client) => {
    const found = await client.query("SELECT status FROM orders WHERE id = $1 FOR UPDATE", [id]);
    if (found.rowCount === 0) throw new Refused(404, "not_found", `there is no order ${id}`);
    const { status } = found.rows[0];
    if (status !== "PRICE_CALCULATED") throw new Refused(409, "wrong_status", `${id} is ${status}; only an order with a price can be approved`);
    const { rows: [order] } = await client.query(
      `UPDATE orders SET status = 'MANUFACTURING_APPROVED', version = version + 1, seller = $2, updated_at = now() WHERE id = $1 RETURNING ${COLUMNS}`,
      [id, seller]);
    const body = { schema: 1, type: "order.approved", order_id: id, version: order.version, at: new Date().toISOString(), seller };
    const headers = {};
    propagation.inject(context.active(), headers);
    await client.query("INSERT INTO outbox (order_id, routing_key, body, headers) VALUES ($1, 'order.approved', $2, $3)", [id, body, headers]);
    return order;
  });
}

function routes() {
  const router = express.Router();
  router.post("/orders/:id/approve", nameOrder, async (request, response, next) => {
    try {
      const seller = request.body?.seller;
      if (typeof seller !== "string" || !seller.trim() || seller.length > SELLER_SIZE_MAX)
        throw new Refused(400, "bad_request", `the body wants "seller": a name of at most ${SELLER_SIZE_MAX} letters`);
      const order = await approve(request.params.id, seller.trim());
      trace.getActiveSpan()?.setAttributes({ "order.status": order.status, "order.version": order.version });
      response.json(order);
    } catch (error) {
      next(error);
    }
  });
  return router;
}

/** The last in the chain: an error becomes an answer with a word for machines and a sentence. */
function answerError(error, request, response, next) {
  if (response.headersSent) return next(error);
  const status = error.status ?? (shopDb.isAway(error) ? 503 : 500);
  if (status >= 500) trace.getActiveSpan()?.recordException(error);
  if (status === 503) return response.status(503).json({ error: "unavailable", message: `SHOP DB can't be used now: ${error.message}` });
  const code = error instanceof Refused ? error.code : status < 500 ? "bad_request" : "error";
  response.status(status).json({ error: code, message: error.message });
}

module.exports = { routes, answerError };
