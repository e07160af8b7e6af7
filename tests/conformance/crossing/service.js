// A service on the stock SDK with its own instrumentations of HTTP and AMQP: service.js NEXT_URL BROKER_URL
//
// It asks NEXT_URL for each request, and sends what it finds in the queue from.c on to the queue to.c. It knows of traces only what
// stands in the first lines. Prints its port; ends with standard input.
'use strict';

const { registerInstrumentations } = require('@opentelemetry/instrumentation');
const { AmqplibInstrumentation } = require('@opentelemetry/instrumentation-amqplib');
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http');
const { OTLPTraceExporter } = require('@opentelemetry/exporter-trace-otlp-proto');
const { NodeTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-node');

const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter())] });
provider.register();
registerInstrumentations({ instrumentations: [new HttpInstrumentation(), new AmqplibInstrumentation()] });

const http = require('http');
const amqp = require('amqplib');

const [nextUrl, brokerUrl] = process.argv.slice(2);

async function passMessagesOn() {
  const connection = await amqp.connect(brokerUrl);
  const channel = await connection.createChannel();
  await channel.assertQueue('from.c', { durable: false });
  await channel.assertQueue('to.c', { durable: false });
  await channel.consume('from.c', (message) => {
    channel.publish('', 'to.c', Buffer.from(`node has ${message.content}`));
    channel.ack(message);
  });
}

const server = http.createServer((request, response) => {
  http.get(nextUrl, (answer) => answer.pipe(response)).on('error', (error) => response.destroy(error));
});

passMessagesOn().then(() => {
  server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
}, (error) => {
  process.stderr.write(`${error}\n`);
  process.exit(1);
});
process.stdin.on('end', () => process.exit(0)).resume();
