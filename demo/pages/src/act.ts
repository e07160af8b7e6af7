// What a person does is a span: from the click until the page shows what came of it. Requests made meanwhile are its children.
//
// A span holds what the page shows afterwards: order.status.shown and order.version.shown, read from the document and not from the answer.
// A script error in a click's handler is left to fail; the page's handler of errors makes a span of it, under the click.
import { ROOT_CONTEXT, SpanStatusCode, context, propagation, trace, type Context, type Span } from "@opentelemetry/api";
import { suppressTracing } from "@opentelemetry/core";
import { tracer } from "./tracing";

/** A server's answer that says no: a sentence for the person. */
export class Refusal extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/** What page and server can't do anything about is told to the person; everything else is an error of the script. */
export class Unreachable extends Error {}

async function answerOf<T>(sent: Promise<Response>): Promise<T> {
  let response: Response;
  try {
    response = await sent;
  } catch (error) {
    throw new Unreachable(`The server can't be reached (${String((error as Error).message)}). Try again in a while.`);
  }
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) {
    const said = (body as { message?: string } | null)?.message ?? `The server answered ${response.status}.`;
    throw new Refusal(response.status, said);
  }
  return body as T;
}

export class Act {
  private context: Context;
  constructor(readonly span: Span, parent: Context) {
    this.context = trace.setSpan(parent, span);
  }

  /** From here on it is about this order. */
  about(id: string): void {
    this.span.setAttribute("order.id", id);
    this.context = withOrder(this.context, id);
  }

  /** A request of this act; throws Refusal and Unreachable. */
  ask<T>(method: string, path: string, body?: object | Blob): Promise<T> {
    const init: RequestInit = { method };
    if (body instanceof Blob) init.body = body;
    else if (body) {
      init.body = JSON.stringify(body);
      init.headers = { "Content-Type": "application/json" };
    }
    return context.with(this.context, () => answerOf<T>(fetch(path, init)));
  }

  within(): Context {
    return this.context;
  }
}

function withOrder(to: Context, id: string): Context {
  const baggage = propagation.getBaggage(to) ?? propagation.createBaggage();
  return propagation.setBaggage(to, baggage.setEntry("order.id", { value: id }));
}

/** Where a script error happened, for the handler of errors. Errors are not kept alive by it. */
const failedIn = new WeakMap<object, Context>();

/** Runs what a click does, in a span. What went wrong on the other side is given to `tell`; an error of the script is thrown on. */
export async function act(name: string, orderId: string | null, tell: (sentence: string) => void, work: (act: Act) => Promise<void>): Promise<void> {
  const parent = orderId ? withOrder(ROOT_CONTEXT, orderId) : ROOT_CONTEXT;
  const span = tracer.startSpan(name, {}, parent);
  const doing = new Act(span, parent);
  try {
    tell("");
    await work(doing);
  } catch (error) {
    if (error instanceof Refusal || error instanceof Unreachable) {
      // That the server says no to what is not allowed is no failure.
      if (!(error instanceof Refusal) || error.status >= 500) span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      tell(error.message);
      return;
    }
    span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
    if (typeof error === "object" && error) failedIn.set(error, doing.within());
    throw error;
  } finally {
    span.end();
  }
}

/** Puts onto a span what an element with data-status and data-version shows now. */
export function noteShown(span: Span, element: HTMLElement): void {
  span.setAttribute("order.status.shown", element.dataset["status"] ?? "");
  span.setAttribute("order.version.shown", Number(element.dataset["version"]));
}

/** A request that nobody asked for: it makes no span, and tells the server by W3C's flag (not sampled) to make none either. */
export function poll<T>(path: string): Promise<T> {
  const headers = { traceparent: `00-${digits(16)}-${digits(8)}-00` };
  return context.with(suppressTracing(ROOT_CONTEXT), () => answerOf<T>(fetch(path, { headers })));
}

function digits(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Script errors, wherever they happen, become a span with an exception event; `tell` says so to the person. */
export function watchErrors(tell: (sentence: string) => void): void {
  const onError = (error: unknown): void => {
    const parent = (typeof error === "object" && error && failedIn.get(error)) || ROOT_CONTEXT;
    const exception = error instanceof Error ? error : new Error(String(error));
    const span = tracer.startSpan("script error", { attributes: { "error.type": exception.name } }, parent);
    span.recordException(exception);
    span.setStatus({ code: SpanStatusCode.ERROR, message: `${exception.name}: ${exception.message}` });
    span.end();
    tell("Something in this page failed. Your click may have done nothing.");
  };
  window.addEventListener("error", (event) => onError(event.error ?? event.message));
  window.addEventListener("unhandledrejection", (event) => onError(event.reason));
}
