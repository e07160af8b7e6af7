// What both pages are: a list of orders that refreshes by itself, and a panel with the order that is open and what can be done with it.
import { ROOT_CONTEXT, propagation } from "@opentelemetry/api";
import { act, noteShown, poll, watchErrors, type Act } from "./act";
import { h } from "./dom";
import { isOn, refreshFaults } from "./faults";
import { STATUSES, price, time, wordFor, type Order } from "./orders";
import { startTracing, tracer } from "./tracing";

const LIST_MS = 2000;
const LIST_MAX = 50;

export interface Action {
  /** The span's name, and of the button's data-action. */
  name: string;
  label: string;
  /** The statuses in which it can be done. */
  when: readonly string[];
  /** What the person has to say with it. */
  input?: { name: string; label: string; value: string };
  isQuiet?: boolean;
  run(doing: Act, order: Order, input: string): Promise<Order>;
}

export interface Column {
  label: string;
  of: (order: Order) => string;
  isNumber?: boolean;
  /** A telephone has no room for it. */
  isExtra?: boolean;
}

const classOf = (column: Column): string => `${column.isNumber ? "number" : ""} ${column.isExtra ? "extra" : ""}`.trim();

export interface Options {
  title: string;
  subtitle: string;
  columns: readonly Column[];
  facts: readonly { label: string; of: (order: Order) => string }[];
  actions: readonly Action[];
  /** Stands over the list. */
  form?: (board: Board) => HTMLElement;
}

export class Board {
  private readonly message = h("p", { id: "message", role: "status" });
  private readonly rows = h("tbody");
  private readonly panel = h("section", { id: "order", "aria-label": "The order that is open" });
  private readonly note = h("p", { class: "note" });
  /** Orders as they were shown last, by id. */
  private readonly known = new Map<string, Order>();
  private open: string | null = null;
  private timer = 0;

  constructor(private readonly options: Options) {}

  async start(root: HTMLElement): Promise<void> {
    const heads = this.options.columns.map((one) => h("th", { scope: "col", class: classOf(one) }, one.label));
    const list = h("section", { "aria-label": "Orders" },
      h("h2", {}, "Orders"),
      h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, ...heads)), this.rows)),
      this.note);
    root.append(
      h("header", {}, h("h1", {}, this.options.title), h("p", {}, this.options.subtitle)),
      this.message,
      h("div", { class: "columns" }, h("div", {}, this.options.form?.(this) ?? null, list), this.panel));
    this.drawPanel(null);
    watchErrors((sentence) => this.tell(sentence));
    const config = await poll<{ otlp_endpoint: string; service: string }>("config.json");
    startTracing(config.service, config.otlp_endpoint);
    document.documentElement.dataset["ready"] = "yes";
    await this.refresh();
  }

  tell(sentence: string): void {
    this.message.textContent = sentence;
  }

  /** A click on something: a span, with the wrong turns that are switched on now. */
  async click(name: string, orderId: string | null, work: (doing: Act) => Promise<void>): Promise<void> {
    document.documentElement.dataset["busy"] = name;
    try {
      await refreshFaults();
      await act(name, orderId, (sentence) => this.tell(sentence), work);
    } finally {
      delete document.documentElement.dataset["busy"];
      this.plan(200);
    }
  }

  /** The next refresh; there is one planned at a time. */
  private plan(ms: number): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.refresh(), ms);
  }

  /** Shows an order in the panel, and notes on the act's span what stands there then. */
  show(order: Order, doing: Act): void {
    this.open = order.id;
    this.drawPanel(this.newest(order));
    const shown = this.panel.querySelector<HTMLElement>("#status");
    if (shown) noteShown(doing.span, shown);
  }

  /** Of an answer and what is known already, what counts. Fault stale_status: the page trusts its own copy more than the server. */
  private newest(order: Order): Order {
    const known = this.known.get(order.id);
    if (known && isOn("stale_status")) return known;
    this.known.set(order.id, order);
    if (this.known.size > 4 * LIST_MAX) this.known.delete(this.known.keys().next().value as string);
    return order;
  }

  private async refresh(): Promise<void> {
    try {
      const { orders } = await poll<{ orders: Order[] }>(`orders?limit=${LIST_MAX}`);
      this.drawRows(orders);
      if (this.open) this.refreshPanel(await poll<Order>(`orders/${this.open}`));
      this.note.textContent = orders.length ? "" : "No orders yet.";
    } catch (error) {
      this.note.textContent = `The list could not be refreshed: ${(error as Error).message}`;
    }
    this.plan(LIST_MS);
  }

  /** The open order has changed while one looked at it: what is shown now is reported in a span of its own. */
  private refreshPanel(answer: Order): void {
    if (answer.id !== this.open || document.documentElement.dataset["busy"]) return;
    const before = this.panel.querySelector<HTMLElement>("#status");
    const order = this.newest(answer);
    if (before?.dataset["status"] === order.status && before.dataset["version"] === String(order.version)) return;
    this.drawPanel(order);
    const baggage = propagation.createBaggage({ "order.id": { value: order.id } });
    const span = tracer.startSpan("show order", {}, propagation.setBaggage(ROOT_CONTEXT, baggage));
    noteShown(span, this.panel.querySelector<HTMLElement>("#status") as HTMLElement);
    span.end();
  }

  private drawRows(orders: readonly Order[]): void {
    const active = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["order"] : undefined;
    this.rows.replaceChildren(...orders.map((order) => {
      const [first, ...rest] = this.options.columns;
      const button = h("button", { type: "button", class: "link", "data-order": order.id }, first?.of(order) ?? order.id);
      button.addEventListener("click", () => void this.openOrder(order.id));
      return h("tr", { class: order.id === this.open ? "open" : "" },
        h("td", {}, button),
        ...rest.map((column) => h("td", { class: classOf(column) }, column.of(order))));
    }));
    if (active) this.rows.querySelector<HTMLElement>(`[data-order="${CSS.escape(active)}"]`)?.focus();
  }

  private openOrder(id: string): Promise<void> {
    return this.click("open order", id, async (doing) => this.show(await doing.ask<Order>("GET", `orders/${id}`), doing));
  }

  private drawPanel(order: Order | null): void {
    if (!order) {
      this.panel.replaceChildren(h("h2", {}, "No order is open"), h("p", { class: "note" }, "Choose one from the list."));
      return;
    }
    const isCancelled = order.status === "CANCELLED";
    const reached = STATUSES.indexOf(order.status);
    const status = h("p", { id: "status", class: isCancelled ? "cancelled" : "", "data-status": order.status, "data-version": String(order.version) },
      wordFor(order.status));
    const steps = h("ol", { class: "steps" }, ...STATUSES.map((one, i) =>
      h("li", { class: isCancelled ? "" : i < reached ? "past" : i === reached ? "now" : "" }, wordFor(one))));
    const facts = h("dl", {}, ...this.options.facts.flatMap((fact) => [h("dt", {}, fact.label), h("dd", {}, fact.of(order))]));
    const actions = this.options.actions.filter((one) => one.when.includes(order.status)).map((one) => this.drawAction(one, order));
    this.panel.replaceChildren(
      h("h2", {}, order.id), status, ...actions.length ? [h("div", { class: "actions" }, ...actions)] : [], facts, steps);
  }

  private drawAction(action: Action, order: Order): HTMLElement {
    const input = action.input && h("input", { name: action.input.name, value: action.input.value, maxlength: "100", required: true });
    const form = h("form", { class: "action" },
      input && action.input ? h("label", {}, action.input.label, input) : null,
      h("button", { type: "submit", "data-action": action.name, class: action.isQuiet ? "quiet" : "" }, action.label));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.click(action.name, order.id, async (doing) => {
        this.tell(this.summary(order));
        const done = await action.run(doing, order, input?.value.trim() ?? "");
        this.show(done, doing);
        this.tell("");
      });
    });
    return form;
  }

  /** What is said while the server works. Fault script_error: written for the next release of the API, whose orders have a price object. */
  private summary(order: Order): string {
    if (!isOn("script_error")) return `${order.id}, ${price(order.price_cents)} …`;
    const next = order as unknown as { price: { total_cents: number } };
    return `${order.id}, ${price(next.price.total_cents)} …`;
  }
}

export const commonColumns = {
  id: { label: "Order", of: (order: Order) => order.id },
  status: { label: "Status", of: (order: Order) => wordFor(order.status) },
  price: { label: "Price", of: (order: Order) => price(order.price_cents), isNumber: true },
  changed: { label: "Changed", of: (order: Order) => time(order.updated_at), isNumber: true, isExtra: true },
};
