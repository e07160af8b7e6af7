// The internal SHOP page: sellers place orders for customers, send them for a price, approve, close and cancel them.
import { Board, commonColumns, type Action } from "./board";
import { h } from "./dom";
import { STATUSES, price, type Order } from "./orders";
import { SAMPLES, makeStl } from "./stl";

const DETAIL = 160;
const UNTIL_SHIPPED = STATUSES.slice(0, STATUSES.indexOf("SHIPPED"));

const actions: readonly Action[] = [
  { name: "upload model", label: "Upload the model again", when: ["INITIATED"], run: (doing, order) => doing.ask("PUT", `orders/${order.id}/model`, chosenModel()) },
  { name: "submit order", label: "Send for a price", when: ["MODEL_UPLOADED"], run: (doing, order) => doing.ask("POST", `orders/${order.id}/submit`) },
  {
    name: "approve order", label: "Approve", when: ["PRICE_CALCULATED"], input: { name: "seller", label: "Seller", value: "Grace" },
    run: (doing, order, seller) => doing.ask("POST", `orders/${order.id}/approve`, { seller }),
  },
  { name: "close order", label: "Customer has it", when: ["SHIPPED"], run: (doing, order) => doing.ask("POST", `orders/${order.id}/close`) },
  { name: "cancel order", label: "Cancel the order", when: UNTIL_SHIPPED, isQuiet: true, run: (doing, order) => doing.ask("POST", `orders/${order.id}/cancel`, { reason: "the customer asked" }) },
];

const sample = h("select", { name: "sample" }, ...SAMPLES.map((one) => h("option", { value: one.name }, one.label)));
const file = h("input", { type: "file", name: "model", accept: ".stl,model/stl" });

/** The file that was chosen, else a sample. */
function chosenModel(): Blob {
  const own = file.files?.[0];
  return own ?? makeStl(SAMPLES.find((one) => one.name === sample.value) ?? (SAMPLES[0] as (typeof SAMPLES)[number]), DETAIL);
}

function placeForm(board: Board): HTMLElement {
  const customer = h("input", { name: "customer", required: true, maxlength: "100", autocomplete: "off" });
  const piece = h("input", { name: "piece", required: true, maxlength: "100", value: "Ring", autocomplete: "off" });
  const form = h("form", { class: "place" },
    h("h2", {}, "New order"),
    h("label", {}, "Customer", customer),
    h("label", {}, "Piece", piece),
    h("label", {}, "Sample model", sample),
    h("label", {}, "or an STL file", file),
    h("button", { type: "submit", "data-action": "place order" }, "Place order"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void board.click("place order", null, async (doing) => {
      const begun = await doing.ask<Order>("POST", "orders", { customer: customer.value.trim(), piece: piece.value.trim() });
      doing.about(begun.id);
      board.show(begun, doing);
      board.show(await doing.ask<Order>("PUT", `orders/${begun.id}/model`, chosenModel()), doing);
      form.reset();
    });
  });
  return form;
}

const board = new Board({
  title: "Shop",
  subtitle: "Orders of customers: place, price, approve, hand over",
  columns: [commonColumns.id, { label: "Customer", of: (order) => order.customer ?? "" }, { label: "Piece", of: (order) => order.piece ?? "", isExtra: true }, commonColumns.status, commonColumns.price, commonColumns.changed],
  facts: [
    { label: "Customer", of: (order) => order.customer ?? "·" },
    { label: "Piece", of: (order) => order.piece ?? "·" },
    { label: "Price", of: (order) => price(order.price_cents) },
    { label: "Seller", of: (order) => order.seller ?? "·" },
    { label: "Model", of: (order) => order.model_key ?? "·" },
    { label: "Version", of: (order) => String(order.version) },
  ],
  actions,
  form: placeForm,
});
void board.start(document.getElementById("root") as HTMLElement);
