// Bytes by day of start: a bar a day, the newest on the right, and the same figures as a table.
import { useState } from 'preact/hooks';
import { formatBytes, formatCount } from './format';
import { useWidth } from './plot';
import { niceAbove } from './plot';
import { StoreStats } from './store_model';
import { words } from './words';

const HEIGHT = 132, TOP = 14, BOTTOM = 20, DAYS_MIN = 14, DAYS_MAX = 60, BAR_MAX = 28;

export function DayBars({ days }: { days: StoreStats['days'] }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const [at, setAt] = useState(-1);
  if (days.length === 0) return <p class="dim">{words.noDays}</p>;
  const newest = Date.parse(days[0]!.day), oldest = Date.parse(days[Math.min(days.length, DAYS_MAX) - 1]!.day);
  const count = Math.max(DAYS_MIN, Math.min(DAYS_MAX, Math.round((newest - oldest) / 86400e3) + 1));
  const by = new Map(days.map((day) => [day.day, day])), dayAt = (index: number) => new Date(newest - (count - 1 - index) * 86400e3).toISOString().slice(0, 10);
  const bars = Array.from({ length: count }, (_, index) => by.get(dayAt(index)));
  const top = niceAbove(Math.max(...bars.map((day) => day?.bytes ?? 0))), begin = 64, step = (width - begin - 4) / count, bar = Math.max(1, Math.min(BAR_MAX, step * 0.7));
  const y = (bytes: number) => TOP + (1 - bytes / top) * (HEIGHT - TOP - BOTTOM);
  const label = (day: string) => { const date = new Date(`${day}T00:00:00`); return `${words.days[date.getDay()]} ${date.getDate()} ${words.months[date.getMonth()]}`; };
  const shown = at >= 0 ? bars[at] : undefined;
  const every = Math.max(1, Math.ceil(76 / step));
  return <figure class="over-time day-bars">
    <figcaption><span class="ch-said faint">{shown ? `${label(shown.day)}: ${formatBytes(shown.bytes)}, ${formatCount(shown.spans)} ${words.spansHead.toLowerCase()}` : '\u00a0'}</span></figcaption>
    <div ref={ref} class="ch-plot is-still" role="img" aria-label={`${words.bytesName}: ${bars.length === 1 ? '' : `${label(bars.find(Boolean)!.day)} – `}${label(days[0]!.day)}`}
      onPointerMove={(event: PointerEvent) => { const box = (event.currentTarget as Element).getBoundingClientRect(); const index = Math.floor((event.clientX - box.left - begin) / step); setAt(index >= 0 && index < count ? index : -1); }}
      onPointerLeave={() => setAt(-1)}>
      <svg width={width} height={HEIGHT} aria-hidden="true" focusable="false">
        <g class="ch-axes">{[0, top / 2, top].map((value) => <line key={value} x1={begin} x2={width} y1={y(value)} y2={y(value)} />)}
          <text x={begin - 8} y={y(top) + 4} text-anchor="end">{formatBytes(top)}</text><text x={begin - 8} y={y(top / 2) + 4} text-anchor="end">{formatBytes(top / 2)}</text><text x={begin - 8} y={y(0)} text-anchor="end">0</text></g>
        {bars.map((day, index) => day && <rect key={day.day} class={`day-bar ${index === at ? 'is-at' : ''}`} x={begin + index * step + (step - bar) / 2} y={Math.min(y(day.bytes), HEIGHT - BOTTOM - 1)} width={bar} height={Math.max(1, HEIGHT - BOTTOM - y(day.bytes))} />)}
        <g class="ch-axes">{bars.map((_, index) => (count - 1 - index) % every === 0 && <text key={index} x={Math.min(begin + (index + 0.5) * step, width - 30)} y={HEIGHT - 5} text-anchor="middle">{label(dayAt(index))}</text>)}</g>
      </svg></div>
    <details><summary class="small">{words.chartTable}</summary>
      <div class="table-scroll" tabIndex={0} role="region" aria-label={words.byDay}><table class="tb2"><thead><tr><th>{words.dayHead}</th><th class="n">{words.bytesHead}</th><th class="n">{words.spansHead}</th><th class="n">{words.tracesHead}</th></tr></thead>
        <tbody>{days.map((day) => <tr key={day.day}><td>{label(day.day)}</td><td class="n">{formatBytes(day.bytes)}</td><td class="n">{formatCount(day.spans)}</td><td class="n">{formatCount(day.traces)}</td></tr>)}</tbody></table></div></details>
  </figure>;
}
