// Orders as the two APIs give them, and what a status means to people.

export interface Order {
  id: string;
  status: string;
  version: number;
  customer?: string;
  piece?: string;
  model_key?: string | null;
  price_cents?: number | null;
  seller?: string | null;
  operator?: string | null;
  volume_mm3?: number | null;
  surface_mm2?: number | null;
  support_mm3?: number | null;
  created_at?: string;
  updated_at?: string;
}

/** In the order in which an order goes through them. */
export const STATUSES: readonly string[] = [
  "INITIATED", "MODEL_UPLOADED", "SUBMITTED", "PRICE_CALCULATED", "MANUFACTURING_APPROVED", "MANUFACTURING_STARTED",
  "MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED", "CLOSED",
];

const WORDS: Record<string, string> = {
  INITIATED: "Begun",
  MODEL_UPLOADED: "Model uploaded",
  SUBMITTED: "Sent for a price",
  PRICE_CALCULATED: "Priced",
  MANUFACTURING_APPROVED: "Approved",
  MANUFACTURING_STARTED: "Being made",
  MANUFACTURING_COMPLETED: "Made",
  PACKAGING: "Packed",
  SHIPPED: "Shipped",
  CLOSED: "Received",
  CANCELLED: "Cancelled",
};

export function wordFor(status: string): string {
  return WORDS[status] ?? status;
}

export function price(cents: number | null | undefined): string {
  return cents == null ? "·" : `${(cents / 100).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })} €`;
}

export function time(text: string | undefined): string {
  const when = new Date(text ?? "");
  return Number.isNaN(when.getTime()) ? "·" : when.toLocaleTimeString("en", { hour12: false });
}
