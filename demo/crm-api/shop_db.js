// SHOP DB, where orders and the outbox are. A statement or a lock that takes longer than ten seconds is given up: the caller
// answers that it did not work, and the work is tried again.
"use strict";
const { Pool } = require("pg");
const config = require("./config");
const { sayOnce } = require("./log");

const pool = new Pool({
  connectionString: config.shopDb,
  application_name: "crm-api",
  max: 6,
  connectionTimeoutMillis: 5000,
  idleTimeoutMillis: 30000,
  statement_timeout: 10000,
  lock_timeout: 8000,
  allowExitOnIdle: true,
});
/** A connection that is lost between two statements is told of only here; the next statement fails then. */
function onLost(error) {
  sayOnce("SHOP DB", `a connection was lost: ${error.message}`);
}

pool.on("error", onLost);

/** Runs work(client) in a transaction; what it throws is thrown after the rollback. */
async function transaction(work) {
  const client = await pool.connect();
  client.on("error", onLost);
  try {
    await client.query("BEGIN");
    const result = await work(client);
    await client.query("COMMIT");
    client.off("error", onLost);
    client.release();
    return result;
  } catch (error) {
    // A connection on which even the rollback fails is of no use to anybody else.
    const broken = await client.query("ROLLBACK").then(() => undefined, (second) => second);
    client.off("error", onLost);
    client.release(broken);
    throw error;
  }
}

/** Whether trying again helps: no connection, or SQLSTATE's classes 08, 40, 53, 55, 57 (limits, locks, time-outs, a server that stops). */
function isAway(error) {
  if (typeof error.code === "string" && error.code.length === 5) return /^(08|53|55|57|40)/.test(error.code);
  return /^E[A-Z]+$/.test(error.code || "") || /timeout|connection terminated/i.test(error.message);
}

module.exports = { pool, transaction, isAway };
