-- MES DB. Applied to an empty database; psql -v history=N sets how many lines its work log has.
CREATE ROLE mes LOGIN PASSWORD 'mes';
CREATE TABLE jobs (
  order_id    text PRIMARY KEY,
  status      text NOT NULL,
  version     int NOT NULL,
  model_key   text,
  volume_mm3  double precision,
  surface_mm2 double precision,
  support_mm3 double precision,
  price_cents int,
  operator    text,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX jobs_by_status ON jobs (status, updated_at);
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
-- What the printers did in earlier years: how busy one is by weeks is asked for every price.
CREATE TABLE work_log (
  printer int NOT NULL,
  done_at timestamptz NOT NULL,
  minutes int NOT NULL
);
INSERT INTO work_log
  SELECT n % 500, now() - n % 1820 * interval '1 day' - n % 86400 * interval '1 second', 10 + n % 300
  FROM generate_series(1, :history) AS n;
CREATE INDEX work_log_by_printer ON work_log (printer, done_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO mes;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO mes;
CREATE ROLE report LOGIN PASSWORD 'report' IN ROLE pg_read_all_data;
CREATE ROLE monitor LOGIN PASSWORD 'monitor' IN ROLE pg_monitor;
ANALYZE;
