// The MES page: operators start, finish, pack and ship.
import { Board, commonColumns, type Action } from "./board";
import { price, type Order } from "./orders";

function step(name: string, label: string, when: string, path: string): Action {
  return { name, label, when: [when], run: (doing, order) => doing.ask<Order>("POST", `orders/${order.id}/${path}`) };
}

function amount(value: number | null | undefined, unit: string): string {
  return value == null ? "·" : `${Math.round(value).toLocaleString("en")} ${unit}`;
}

const board = new Board({
  title: "Workshop",
  subtitle: "What is to be made: start, finish, pack, ship",
  columns: [commonColumns.id, commonColumns.status, { label: "Operator", of: (order) => order.operator ?? "·" }, commonColumns.price, commonColumns.changed],
  facts: [
    { label: "Operator", of: (order) => order.operator ?? "·" },
    { label: "Volume", of: (order) => amount(order.volume_mm3, "mm³") },
    { label: "Surface", of: (order) => amount(order.surface_mm2, "mm²") },
    { label: "Support", of: (order) => amount(order.support_mm3, "mm³") },
    { label: "Price", of: (order) => price(order.price_cents) },
    { label: "Model", of: (order) => order.model_key ?? "·" },
    { label: "Version", of: (order) => String(order.version) },
  ],
  actions: [
    {
      name: "start order", label: "Start", when: ["MANUFACTURING_APPROVED"], input: { name: "operator", label: "Operator", value: "Edsger" },
      run: (doing, order, operator) => doing.ask<Order>("POST", `orders/${order.id}/start`, { operator }),
    },
    step("finish order", "Finish", "MANUFACTURING_STARTED", "finish"),
    step("pack order", "Pack", "MANUFACTURING_COMPLETED", "pack"),
    step("ship order", "Ship", "PACKAGING", "ship"),
  ],
});
void board.start(document.getElementById("root") as HTMLElement);
