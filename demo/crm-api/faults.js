// Wrong turns that the demo can switch on: the file FAULTS/crm-api holds one a line. It is read again when it has changed.
"use strict";
const fs = require("fs");
const path = require("path");
const config = require("./config");

const file = config.faults && path.join(config.faults, "crm-api");
let seen = "";
let ways = new Set();

/** Whether a wrong turn is taken now. */
function isOn(way) {
  if (!file) return false;
  let stat;
  try {
    stat = fs.statSync(file);
  } catch {
    return false;
  }
  const now = `${stat.mtimeMs} ${stat.ino} ${stat.size}`;
  if (now !== seen) {
    ways = new Set(fs.readFileSync(file, "utf8").split("\n").map((line) => line.trim()).filter(Boolean));
    seen = now;
  }
  return ways.has(way);
}

module.exports = { isOn };
