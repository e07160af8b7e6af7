// One axis over work of seconds and waits of days: what lies between is cut short, and says how long it is.
export interface Span { start: number; end: number } // ms
export interface Cut { at: number; width: number; ms: number } // in shares of the axis
export interface Tick { at: number; ms: number }

interface Piece { start: number; end: number; at: number; width: number; isCut: boolean }

const CUT_WIDTH = 0.07, CUTS_MAX = 5, GAP_SHARE = 0.12, GAP_MS_MIN = 20000;

export class TimeAxis {
  private readonly pieces: Piece[];

  // spans: when something happened; end: where the axis ends (now, or the last moment).
  constructor(spans: Span[], end: number) {
    const merged: Span[] = [];
    for (const span of [...spans].sort((a, b) => a.start - b.start)) {
      const last = merged[merged.length - 1];
      if (last && span.start <= last.end) last.end = Math.max(last.end, span.end);
      else merged.push({ start: span.start, end: Math.max(span.end, span.start + 1) });
    }
    if (merged.length === 0) merged.push({ start: end - 1, end });
    const last = merged[merged.length - 1]!;
    if (end > last.end) merged.push({ start: end, end });
    const active = merged.reduce((sum, one) => sum + one.end - one.start, 0);
    const gaps = merged.slice(1).map((one, i) => one.start - merged[i]!.end);
    // The longest gaps are cut, where they are long against all that happened.
    const least = Math.max(GAP_MS_MIN, active * GAP_SHARE);
    const cut = new Set(gaps.map((ms, i) => ({ ms, i })).filter(({ ms }) => ms > least).sort((a, b) => b.ms - a.ms).slice(0, CUTS_MAX).map(({ i }) => i));
    const drawn = active + gaps.reduce((sum, ms, i) => sum + (cut.has(i) ? 0 : ms), 0);
    const room = 1 - cut.size * CUT_WIDTH;
    this.pieces = [];
    let at = 0;
    const push = (start: number, stop: number, isCut: boolean) => {
      const width = isCut ? CUT_WIDTH : room * (stop - start) / Math.max(1, drawn);
      this.pieces.push({ start, end: stop, at, width, isCut });
      at += width;
    };
    merged.forEach((one, i) => {
      if (i > 0) push(merged[i - 1]!.end, one.start, cut.has(i - 1));
      push(one.start, one.end, false);
    });
  }

  place(ms: number): number {
    const piece = this.pieces.find((one) => ms <= one.end) ?? this.pieces[this.pieces.length - 1]!;
    const share = piece.end > piece.start ? (ms - piece.start) / (piece.end - piece.start) : 0;
    return Math.min(1, Math.max(0, piece.at + piece.width * Math.min(1, Math.max(0, share))));
  }

  get cuts(): Cut[] {
    return this.pieces.filter((one) => one.isCut).map((one) => ({ at: one.at, width: one.width, ms: one.end - one.start }));
  }

  // Where drawn pieces begin, not nearer to each other than `apart`.
  ticks(apart: number): Tick[] {
    const ticks: Tick[] = [];
    for (const piece of this.pieces) {
      if (piece.isCut || piece.width === 0) continue;
      for (const share of [0, 0.5]) {
        const at = piece.at + piece.width * share;
        if (at < 1 - apart && (ticks.length === 0 || at - ticks[ticks.length - 1]!.at >= apart)) ticks.push({ at, ms: piece.start + (piece.end - piece.start) * share });
      }
    }
    return ticks;
  }
}
