// What the environment must say. A variable that is missing or wrong ends the program with a sentence.
"use strict";
const fs = require("fs");

function fail(sentence) {
  console.error(`crm-api: ${sentence}`);
  process.exit(2);
}

function address(name, protocols) {
  const text = process.env[name];
  if (!text) fail(`${name} is not set; it wants an address like ${protocols[0]}//127.0.0.1:7102`);
  let url;
  try {
    url = new URL(text);
  } catch {
    fail(`${name} is no address: ${text}`);
  }
  if (!protocols.includes(url.protocol)) fail(`${name} must begin with ${protocols[0]}//, not with ${url.protocol}`);
  return url;
}

const listen = address("CRM_URL", ["http:", "https:"]);

function file(name) {
  try {
    return fs.readFileSync(process.env[name] || "");
  } catch (error) {
    return fail(`${name}: ${error.message}`);
  }
}

module.exports = {
  host: listen.hostname,
  port: Number(listen.port || 80),
  /** What it proves its name with, where it is reached by https. */
  tls: listen.protocol === "https:" ? { cert: file("TLS_CERT"), key: file("TLS_KEY") } : null,
  shopDb: address("SHOP_DB", ["postgresql:", "postgres:"]).href,
  broker: address("AMQP_URL", ["amqp:", "amqps:"]).href,
  /** The folder of fault switches; without it none is ever on. */
  faults: process.env.FAULTS || "",
  schema: process.env.MESSAGE_SCHEMA || `${__dirname}/../schema/messages.json`,
};
