// What /api/v1/stats gives.
export interface StoreStats {
  version: string; started: string; time: string;
  state: 'ok' | 'no_space' | 'failed'; ready: 'yes' | 'starting' | 'draining' | 'no_space' | 'failed';
  ingest: {
    requests: Record<string, number>; spans: Record<string, number>; refused_requests: Record<string, number>; rejected_spans: Record<string, number>;
    denied_requests: number; redacted_attributes: number; replaced_texts: number; dropped_links: number;
    filed_by_receipt_spans: number; ends_before_start_spans: number; open_spans: number;
  };
  retention: { age_days: number | null; size_bytes: number | null };
  store: {
    segment_count: number; segment_bytes: number; segment_spans: number; bytes_per_span: number | null; head_spans: number; head_bytes: number; wal_bytes: number;
    merge_debt_bytes: number; appended_spans: number; duplicate_spans: number; expired_spans: number; erased_spans: number; retried_requests: number;
    damaged_pages: number; damaged_records: number; seals: number; seal_bytes: number; merges: number; merge_bytes: number;
    commits: number; commit_ns: number; commit_ns_max: number;
  };
  disk: { free_bytes: number; total_bytes: number };
  forecast: { bytes_per_day: number | null; limited_by: 'disk' | 'retention-size'; days_left: number | null; full_bytes: number | null; price_per_gb_month: number };
  days: { day: string; segments: number; spans: number; traces: number; bytes: number }[];
  services: { tenant: string; service: string; spans: number; errors: number; share: number; bytes_per_day: number | null }[];
  keys: { of: string; key: string; values: number; bytes: number; share: number; bytes_per_day: number | null }[];
}
