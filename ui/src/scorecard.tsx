// The scorecard: two periods side by side, each figure with what it rests on and against its target.
import { useEffect, useState } from 'preact/hooks';
import { Address, amend, linkTo } from './address';
import { useAsk } from './ask';
import { formatCount, formatDuration, formatShare, formatTime, zone } from './format';
import { Name, Said, Swatch } from './parts';
import { Line, RateChart } from './rate_chart';
import { StateShape } from './state_mark';
import { language, plural, words } from './words';

interface Figure { value: number | null; count: number; few: boolean }
interface Target { kind: 'change' | 'points' | 'at_least' | 'at_most'; value: number }
interface ScoreLine { name: string; unit: 'ns' | 'share' | 'score'; before: Figure; after: Figure; change: number | null; target: Target | null; met: boolean | null }
interface Part { name: string | null; before_ns: number; after_ns: number }
interface ScoreService { service: string | null; threshold_ns: number; measures: ScoreLine[]; parts: Part[] }
interface Period { start: string; end: string; incidents: number; open_incidents: number; done: number; cancelled: number; stopped: number }
interface Point { count: number; error_count: number; p95_ns: number }
interface Score { course: { step_ns: number; before: Point[]; after: Point[] }; before: Period; after: Period; measures: ScoreLine[]; services: ScoreService[]; more_services: number; requests_from: string | null; journeys_from: string | null; rebuilding: boolean }

const DAYS = [1, 7, 30, 90], DAYS_DEFAULT = 7, DAY_MS = 86400e3, PARTS_SHOWN = 6;

function decimal(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return language === 'ru' ? text.replace('.', ',') : text;
}

function valueText(line: ScoreLine, value: number | null): string {
  if (value === null) return '·';
  if (line.unit === 'ns') return formatDuration(value);
  return line.unit === 'share' ? formatShare(value * 1e6, 1e6) : decimal(value, 2);
}

// With a sign; a fall of an error rate is as good as a rise of a success rate, so the colour is the target's business.
function signed(value: number, text: string): string {
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${text}`;
}

function changeText(line: ScoreLine): string {
  if (line.change === null) return '·';
  const size = Math.abs(line.change);
  if (line.name === 'success_rate') return signed(line.change, words.points(decimal(size * 100, 1)));
  return line.unit === 'score' ? signed(line.change, decimal(size, 2)) : signed(line.change, `${decimal(size * 100, 1)}\u202f%`);
}

function targetText(line: ScoreLine): string {
  const target = line.target;
  if (!target) return '·';
  const size = Math.abs(target.value);
  if (target.kind === 'change') return signed(target.value, `${decimal(size * 100, 0)}\u202f%`);
  if (target.kind === 'points') return signed(target.value, words.points(decimal(size * 100, size * 100 % 1 === 0 ? 0 : 1)));
  return target.kind === 'at_least' ? words.atLeast(valueText(line, target.value)) : words.atMost(valueText(line, target.value));
}

// What value after would just meet the target.
function goalOf(line: ScoreLine): number | null {
  const target = line.target, before = line.before.value;
  if (!target) return null;
  if (target.kind === 'at_least' || target.kind === 'at_most') return target.value;
  if (before === null) return null;
  return target.kind === 'change' ? before * (1 + target.value) : Math.min(1, before + target.value);
}

// Before and after as bars of one scale, with a tick where the target is: a picture for the eye, the row says it in figures.
function Bars({ line }: { line: ScoreLine }) {
  const goal = goalOf(line), most = line.unit === 'score' || line.name === 'success_rate' ? 1 : Math.max(line.before.value ?? 0, line.after.value ?? 0, goal ?? 0, 1e-12) * 1.04;
  const wide = (value: number | null) => (value === null ? 0 : Math.max(1, Math.min(1, value / most) * 158));
  return <svg class="score-bars" width="160" height="26" aria-hidden="true" focusable="false">
    <rect class="sb-before" x="0" y="3" width={wide(line.before.value)} height="8" />
    <rect class={`sb-after${line.met === false ? ' missed' : ''}`} x="0" y="14" width={wide(line.after.value)} height="8" />
    {goal !== null && <line class="sb-goal" x1={wide(goal)} x2={wide(goal)} y1="0" y2="26" />}
  </svg>;
}

function Met({ line }: { line: ScoreLine }) {
  if (line.met === null) return <span class="dim">{line.target ? words.notKnown : '·'}</span>;
  return line.met ? <span class="st is-done"><StateShape state="done" />{words.targetMet}</span> : <span class="st is-late"><StateShape state="late" />{words.targetMissed}</span>;
}

function restsOn(line: ScoreLine): string {
  const forms = words.measureOf[line.name] ?? words.measureOf.other!;
  const one = (figure: Figure) => formatCount(figure.count);
  return `${one(line.before)} / ${one(line.after)} ${plural(line.after.count, forms)}`;
}

function Lines({ lines }: { lines: ScoreLine[] }) {
  return <table class="score"><thead><tr><th>{words.measure}</th><th class="n">{words.beforeHead}</th><th class="n">{words.afterHead}</th><td class="opt" /><th class="n">{words.changeHead}</th><th class="n opt">{words.targetHead}</th><td class="met" /></tr></thead>
    <tbody>{lines.map((line) => <tr key={line.name}>
      <th scope="row" class="row-head">{words.measures[line.name] ?? line.name}<small class="dim">{restsOn(line)}{(line.before.few || line.after.few) && <> · {words.few}</>}</small></th>
      <td class="n" data-head={words.beforeHead}>{valueText(line, line.before.value)}</td>
      <td class="n" data-head={words.afterHead}><b>{valueText(line, line.after.value)}</b></td>
      <td class="opt"><Bars line={line} /></td>
      <td class="n nw" data-head={words.changeHead}>{changeText(line)}</td>
      <td class="n opt nw">{targetText(line)}</td>
      <td class="met"><Met line={line} /></td></tr>)}</tbody></table>;
}

function Parts({ parts }: { parts: Part[] }) {
  const most = Math.max(1, ...parts.map((part) => Math.max(part.before_ns, part.after_ns)));
  return <><h4>{words.whereTime}</h4><table class="score parts"><thead><tr><th>{words.name}</th><th class="n">{words.beforeHead}</th><th class="n">{words.afterHead}</th><td class="opt" /></tr></thead>
    <tbody>{parts.slice(0, PARTS_SHOWN).map((part) => <tr key={part.name ?? ''}>
      <td>{part.name === null ? <span class="dim">{words.ownWork}</span> : part.name === 'other' ? <span class="dim">{words.otherCalls}</span> : <Name text={part.name} />}</td>
      <td class="n">{part.before_ns > 0 ? formatDuration(part.before_ns) : '·'}</td><td class="n">{part.after_ns > 0 ? formatDuration(part.after_ns) : '·'}</td>
      <td class="opt"><svg class="score-bars" width="160" height="20" aria-hidden="true" focusable="false"><rect class="sb-before" x="0" y="2" width={part.before_ns / most * 158} height="6" /><rect class="sb-after" x="0" y="11" width={part.after_ns / most * 158} height="6" /></svg></td></tr>)}</tbody></table></>;
}

function Service({ one }: { one: ScoreService }) {
  const [isOpen, setOpen] = useState(false);
  const missed = one.measures.filter((line) => line.met === false).length;
  return <section class="score-service"><h3><button class="as-link" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}><Swatch service={one.service ?? ''} /><Name text={one.service ?? ''} /></button>
    <span class="dim small"> {words.satisfiedBelow(formatDuration(one.threshold_ns))}{missed > 0 && <> · {words.targetMissed}: {formatCount(missed)}</>}</span></h3>
    {isOpen && <><Lines lines={one.measures} />{one.parts.length > 0 && <Parts parts={one.parts} />}</>}</section>;
}

// The course of a figure after, with that of before behind it, as long after each one's begin.
function Courses({ score }: { score: Score }) {
  const [cursor, setCursor] = useState(-1);
  const { step_ns, before: old, after: main } = score.course;
  const linesOf = (figure: (point: Point) => number): Line[] => {
    const of = (points: Point[]) => points.map((point) => (point.count > 0 ? figure(point) : NaN));
    return [{ points: of(main), kind: 'main' }, { points: of(old), kind: 'usual' }];
  };
  const shared = { startMs: Date.parse(score.after.start), stepMs: step_ns / 1e6, count: main.length, cursor, onCursor: setCursor, onPoint: () => undefined, onRange: () => undefined };
  const before = score.measures.find((one) => one.name === 'response_p95')!, errors = score.measures.find((one) => one.name === 'error_rate')!;
  return <div class="courses">
    <RateChart {...shared} title={words.courseP95} lines={linesOf((point) => point.p95_ns)} format={formatDuration} said={valueText(before, before.after.value)} usual={`${words.beforeLine} ${valueText(before, before.before.value)}`} />
    <RateChart {...shared} title={words.courseErrors} lines={linesOf((point) => point.error_count / point.count)} format={(value) => formatShare(value * 1e6, 1e6)} said={valueText(errors, errors.after.value)} usual={`${words.beforeLine} ${valueText(errors, errors.before.value)}`} topMin={0.01} />
  </div>;
}

function dayOf(ms: number): string {
  const date = new Date(ms), two = (value: number) => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function ScorecardPage({ address }: { address: Address }) {
  const { params } = address;
  const given = Number(params.get('days')), days = DAYS.includes(given) ? given : DAYS_DEFAULT, split = params.get('before');
  const splitMs = split && /^\d{4}-\d\d-\d\d$/.test(split) ? new Date(`${split}T00:00:00`).getTime() : NaN;
  const [today] = useState(Date.now);
  const path = Number.isFinite(splitMs) ? linkTo('/api/v1/scorecard', { split: new Date(splitMs).toISOString() })
    : linkTo('/api/v1/scorecard', { start: new Date(Math.floor((today - days * DAY_MS) / 60e3) * 60e3).toISOString() });
  const asked = useAsk<Score>(path);
  useEffect(() => { document.title = `${words.scorecard} · Filigree`; }, []);
  const score = asked.data;
  const period = (one: Period) => words.periodOf(formatTime(Date.parse(one.start)), formatTime(Date.parse(one.end)));
  return <div class="scorecard board">
    <h1 class="page-title">{words.scoreLead}</h1>
    <div class="ranges" role="group" aria-label={words.compareSplit}>
      {DAYS.map((one) => <button class="btn" key={one} aria-pressed={!Number.isFinite(splitMs) && one === days} onClick={() => amend({ days: one === DAYS_DEFAULT ? undefined : String(one), before: undefined })}>{words.lastDays(formatCount(one), plural(one, words.dayWord))}</button>)}
      <label class="date"><span class="dim small">{words.partedAt}</span> <span class="field"><input type="date" aria-label={words.thisDate} value={Number.isFinite(splitMs) ? split! : ''} max={dayOf(today)} onChange={(event) => amend({ before: event.currentTarget.value || undefined, days: undefined })} /></span></label>
    </div>
    <Said asked={asked} />
    {score && <>
      <p class="dim periods" title={zone}><i class="key sb-before" aria-hidden="true" /> {words.beforeHead}: {period(score.before)} <i class="key sb-after" aria-hidden="true" /> {words.afterHead}: {period(score.after)}</p>
      <Lines lines={score.measures} />
      {score.rebuilding && <p class="note">{words.rebuilding}</p>}
      {score.requests_from && score.requests_from > score.before.start && <p class="note">{words.requestsFrom(formatTime(Date.parse(score.requests_from)))}</p>}
      {score.journeys_from && score.journeys_from > score.before.start && <p class="note">{words.journeysFrom(formatTime(Date.parse(score.journeys_from)))}</p>}
      <Courses key={path} score={score} />
      <section aria-labelledby="services"><div class="head"><h2 id="services">{words.scoreByService}</h2></div>
        {score.services.length === 0 && <p class="note">{words.noRequests}</p>}
        {score.services.map((one) => <Service key={one.service ?? ''} one={one} />)}</section>
    </>}
  </div>;
}
