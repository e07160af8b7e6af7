// The CRM API. Sellers approve orders (orders.js), the outbox goes to the broker (outbox.js), and what MES tells comes back (events.js).
"use strict";
const http = require("http");
const https = require("https");
const express = require("express");
const config = require("./config");
const { Events } = require("./events");
const { say } = require("./log");
const { answerError, routes } = require("./orders");
const { Outbox } = require("./outbox");
const shopDb = require("./shop_db");

const END_MS = 20000;

const outbox = new Outbox();
const events = new Events();
const app = express();
app.disable("x-powered-by");
app.get("/healthz", (request, response) => {
  response.json({ status: "ok", broker: outbox.broker.isUsable && events.broker.isUsable ? "connected" : "away", outbox_waiting: outbox.failed.size });
});
app.use(express.json({ limit: "16kb" }));
app.use(routes());
app.use((request, response) => response.status(404).json({ error: "not_found", message: `there is no ${request.method} ${request.path}` }));
app.use(answerError);

const server = config.tls ? https.createServer(config.tls, app) : http.createServer(app);
server.listen(config.port, config.host, () => {
  say(`listens on ${config.host}:${config.port}`);
  outbox.start();
  events.start();
});
server.on("error", (error) => {
  say(error.code === "EADDRINUSE" ? `port ${config.port} is taken` : error.message);
  process.exit(1);
});

/** Nothing new is taken; what runs ends. Then the process has nothing to do and ends by itself. */
async function stop(signal) {
  say(`${signal}: stops`);
  setTimeout(() => {
    say(`did not end within ${END_MS} ms`);
    process.exit(1);
  }, END_MS).unref();
  server.close();
  server.closeIdleConnections();
  await Promise.all([outbox.stop(), events.stop()]);
  await shopDb.pool.end();
}
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop(signal));
