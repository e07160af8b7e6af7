// A gRPC server that answers as it is told: grpc_sink.js ANSWERS [KEY CERTIFICATE [CLIENT_AUTHORITY]]
//
// ANSWERS is a JSON list; each request takes the first, the last one stays: {status: 0, message, details (base64), http: 200, wait: ms,
// body (base64), noise: bytes, reset: true, limit: bytes above which it is too large, mute: true for no trailers}. With a key and a certificate it
// speaks TLS, with an authority it wants a client certificate of it. Prints {"port": N}, then for each request a line {"bytes", "gzip",
// "content", "at", "peer", "status"}: its message as base64, when it came (ms), the client certificate's subject. Ends with standard input.
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const http2 = require("http2");
const zlib = require("zlib");

const answers = JSON.parse(process.argv[2]);
const [key, certificate, authority] = process.argv.slice(3);
const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");

function judge(answer, message) {
  if (answer.limit && message.length > answer.limit) {
    return { status: 8, message: `message larger than max (${message.length} vs. ${answer.limit})` };
  }
  return answer.limit ? { status: 0 } : answer;
}

function reply(stream, answer) {
  if (stream.destroyed) return;
  if (answer.reset) {
    stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    return;
  }
  const trailers = { "grpc-status": String(answer.status || 0) };
  if (answer.message) trailers["grpc-message"] = answer.message;
  if (answer.details) trailers["grpc-status-details-bin"] = answer.details;
  const headers = { ":status": answer.http || 200, "content-type": "application/grpc", ...(answer.headers || {}) };
  stream.respond(headers, { waitForTrailers: !answer.mute && !answer.http });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  stream.end(answer.noise ? crypto.randomBytes(answer.noise) : answer.body ? Buffer.from(answer.body, "base64") : Buffer.alloc(5));
}

function onStream(stream) {
  const parts = [];
  stream.on("error", () => {});
  stream.on("data", (part) => parts.push(part));
  stream.on("end", () => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    const whole = Buffer.concat(parts);
    const gzip = whole[0] === 1;
    const message = gzip ? zlib.gunzipSync(whole.subarray(5)) : whole.subarray(5);
    const socket = stream.session && stream.session.socket;
    const peer = socket && socket.getPeerCertificate ? (socket.getPeerCertificate().subject || {}).CN : undefined;
    const said = judge(answer, message);
    say({ bytes: message.length, gzip, content: message.toString("base64"), at: Date.now(), peer, status: said.status || 0 });
    setTimeout(() => reply(stream, said), answer.wait || 0);
  });
}

const tls = key && {
  key: fs.readFileSync(key),
  cert: fs.readFileSync(certificate),
  ...(authority && { ca: fs.readFileSync(authority), requestCert: true, rejectUnauthorized: true }),
};
const server = tls ? http2.createSecureServer(tls) : http2.createServer();
server.on("stream", onStream);
server.on("sessionError", () => {});
server.on("tlsClientError", () => {});
server.listen(0, "127.0.0.1", () => say({ port: server.address().port }));
process.stdin.on("end", () => process.exit(0)).resume();
