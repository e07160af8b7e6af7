// One line an event on standard error, with its time. What repeats (a part that is away) is said when it changes, not each time.
"use strict";

const states = new Map();

function say(text) {
  console.error(`${new Date().toISOString()} crm-api: ${text}`);
}

/** Says `text` unless it is what was said last of `subject`. Few subjects: there is one a part. */
function sayOnce(subject, text) {
  if (states.get(subject) === text) return;
  states.set(subject, text);
  say(`${subject}: ${text}`);
}

module.exports = { say, sayOnce };
