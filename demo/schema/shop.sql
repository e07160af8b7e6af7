-- SHOP DB. Applied to an empty database; psql -v history=N sets how many purchases of earlier years it has.
CREATE ROLE shop LOGIN PASSWORD 'shop';
-- People wait for an answer: nothing may take longer.
ALTER ROLE shop SET statement_timeout = '4s';
CREATE SEQUENCE order_number;
CREATE TABLE orders (
  id          text PRIMARY KEY,
  status      text NOT NULL,
  version     int NOT NULL,
  customer    text NOT NULL,
  piece       text NOT NULL,
  model_key   text,
  price_cents int,
  seller      text,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_by_status ON orders (status, updated_at);
-- Messages that are to be published; written in the transaction that changes the order.
CREATE TABLE outbox (
  id          bigserial PRIMARY KEY,
  order_id    text NOT NULL,
  routing_key text NOT NULL,
  body        jsonb NOT NULL,
  headers     jsonb NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  sent_at     timestamptz
);
CREATE INDEX outbox_unsent ON outbox (id) WHERE sent_at IS NULL;
CREATE INDEX outbox_by_order ON outbox (order_id);
-- What customers bought in earlier years: how loyal one is, is asked at every submit.
CREATE TABLE purchases (
  customer    text NOT NULL,
  bought_at   timestamptz NOT NULL,
  price_cents int NOT NULL
);
INSERT INTO purchases
  SELECT 'customer-' || n % 5000, now() - n % 1820 * interval '1 day' - n % 86400 * interval '1 second', 5000 + n % 90000
  FROM generate_series(1, :history) AS n;
CREATE INDEX purchases_by_customer ON purchases (customer, bought_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO shop;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO shop;
CREATE ROLE report LOGIN PASSWORD 'report' IN ROLE pg_read_all_data;
CREATE ROLE monitor LOGIN PASSWORD 'monitor' IN ROLE pg_monitor;
ANALYZE;
