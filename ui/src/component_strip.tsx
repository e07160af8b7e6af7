// A monitor's past on one line: who was how, when, from the stored spans; what no span speaks for is dashed, for nobody looked.
import { Period, Result, sharesOf } from './components_model';
import { formatDuration, formatTime } from './format';
import { words } from './words';

const NAMES: Record<Result | 'gap', string> = { ...words.resultWords, gap: words.gapWord };

export function Strip({ history, startMs, endMs }: { history: readonly Period[]; startMs: number; endMs: number }) {
  const shares = sharesOf(history, startMs, endMs), whole = Math.max(1, endMs - startMs);
  const said = (['down', 'degraded', 'unknown', 'ok', 'gap'] as const).filter((one) => shares[one] >= 1000)
    .map((one) => words.partFor(NAMES[one], formatDuration(shares[one] * 1e6))).join(', ');
  return <span class="strip" role="img" aria-label={words.stripSaid(said)} title={said}>
    {history.map((period) => {
      const from = Math.max(startMs, Date.parse(period.start)), to = Math.min(endMs, Date.parse(period.end));
      return to > from && <i key={period.start} class={`p-${period.result}`} title={`${NAMES[period.result]}, ${formatTime(from)}–${formatTime(to)}`}
        style={{ left: `${100 * (from - startMs) / whole}%`, width: `${100 * (to - from) / whole}%` }} />;
    })}
  </span>;
}
