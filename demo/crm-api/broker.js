// A connection to the broker that comes back. Publishing and consuming have one each, since a broker that is short of memory or disk stops
// reading from connections that publish.
//
//     away ──connect──► connected ──lost, or not usable──► away, and again after 0.5, 1, 2, 4, 5, 5 … seconds
"use strict";
const amqp = require("amqplib");
const config = require("./config");
const { sayOnce } = require("./log");

const PAUSE_MAX_MS = 5000;

/** A silent broker is taken for lost after two heartbeats that did not come. */
const HEARTBEAT_SECONDS = 10;

async function close(connection, onError) {
  try {
    await connection.close();
  } catch (error) {
    onError(error);
  }
}

function addressOf(broker) {
  const url = new URL(broker);
  url.searchParams.set("heartbeat", HEARTBEAT_SECONDS);
  return url.href;
}

class Broker {
  /** open(connection) makes the channel and is called after each connect; what it returns is `channel` while connected. */
  constructor(name, open) {
    this.name = name;
    this.open = open;
    this.connection = null;
    this.channel = null;
    /** Why it can't be used: an Error; null while it can, and before the first try has ended. A blocked connection has both this and a channel. */
    this.trouble = null;
    this.pauseMs = 500;
    this.timer = null;
    this.isStopped = false;
  }

  get isUsable() {
    return this.channel !== null && this.trouble === null;
  }

  start() {
    this.connect();
  }

  async connect() {
    this.timer = null;
    let connection;
    try {
      connection = await amqp.connect(addressOf(config.broker), { timeout: 5000, clientProperties: { connection_name: `crm-api ${this.name}` } });
      connection.on("error", (error) => this.lose(connection, error));
      connection.on("close", () => this.lose(connection, new Error("the broker closed the connection")));
      connection.on("blocked", (reason) => {
        this.trouble = Object.assign(new Error(`connection blocked by the broker: ${reason}`), { code: "resource_alarm" });
        sayOnce(`broker, ${this.name}`, this.trouble.message);
      });
      connection.on("unblocked", () => {
        this.trouble = null;
        sayOnce(`broker, ${this.name}`, "connected");
      });
      if (this.isStopped) return void (await connection.close());
      this.connection = connection;
      this.channel = await this.open(connection);
      this.channel.on("error", (error) => this.lose(connection, error));
      this.channel.on("close", () => this.lose(connection, new Error("the broker closed the channel")));
      this.trouble = null;
      this.pauseMs = 500;
      sayOnce(`broker, ${this.name}`, "connected");
    } catch (error) {
      this.connection = connection || null;
      this.lose(this.connection, error);
    }
  }

  /** Ends a connection, whatever is left of it, and plans the next. Called for the same loss several times. */
  lose(connection, error) {
    if (connection !== this.connection) return;
    this.connection = this.channel = null;
    this.trouble = error;
    if (connection) close(connection, () => {}); // it is lost already, or will be
    if (this.isStopped) return;
    sayOnce(`broker, ${this.name}`, `away: ${error.message}`);
    if (this.timer) return;
    this.timer = setTimeout(() => this.connect(), this.pauseMs);
    this.pauseMs = Math.min(this.pauseMs * 2, PAUSE_MAX_MS);
  }

  async stop() {
    this.isStopped = true;
    clearTimeout(this.timer);
    if (this.connection) await close(this.connection, (error) => sayOnce(`broker, ${this.name}`, `at the end: ${error.message}`));
  }
}

module.exports = { Broker };
