// The flows: as they are declared, beside what completed orders show; what differs is marked, and may be accepted.
import { useEffect, useState } from 'preact/hooks';
import { may, send, useMe } from './account';
import { Address } from './address';
import { useAsk } from './ask';
import { formatCount, formatDuration, formatShare, formatTime, zone } from './format';
import { keepName, ownName } from './incidents';
import { Labels, useLive } from './journeys';
import { Copy, Name, Said, Swatch } from './parts';
import { humanOf, labelOf } from './verdict_text';
import { plural, words } from './words';

const EVERY_MS = 3000;

interface Learned { journeys: number; share: number; hops: number; median_ns: number; p99_ns: number; within_ns: number; confidence: number }
interface FlowStep {
  name: string; label: string | null; labels: Labels; when: string | null; service: string | null; human: string | null; humans: Labels; optional: boolean; ends: 'done' | 'cancelled' | null; after: string[];
  declared_ns: number; accepted_ns: number; within_ns: number; provisional: boolean; learned: Learned; differences: string[];
}
interface Flow {
  key: string; name: string | null; source: 'none' | 'declared' | 'accepted' | 'learned'; journeys: number; journeys_min: number; refused_steps: number;
  accepted: string | null; accepted_by: string | null; can_accept: boolean; steps: FlowStep[]; yaml: string | null;
}
interface Flows { flows: Flow[] }

function time(ns: number) {
  return ns > 0 ? formatDuration(ns) : <span class="faint">·</span>;
}

// What is proposed for this step alone can be accepted: only of a declared flow.
function isOffered(flow: Flow, step: FlowStep): boolean {
  return flow.source === 'declared' && step.learned.within_ns > 0 && (step.provisional || step.learned.within_ns < step.within_ns);
}

function StepRow({ flow, step, accept, isBusy }: { flow: Flow; step: FlowStep; accept?: (steps: string[]) => void; isBusy: boolean }) {
  const marks = [step.human && humanOf(step), step.optional && words.optionalMark, step.ends === 'done' && words.endsMark, step.ends === 'cancelled' && words.cancelsMark].filter(Boolean);
  const known = step.learned.journeys > 0, label = labelOf(step);
  return <tr class={step.differences.includes('not_in_it') ? 'only-learned' : ''}>
    <th scope="row" class="row-head">{step.service && <Swatch service={step.service} />}<Name text={label} /><small>{step.service && <Name text={step.service} />}{marks.map((mark) => <span key={String(mark)}> · {mark}</span>)}</small></th>
    <td class="n" data-head={words.deadlineHead}>{time(step.within_ns)}{step.provisional && <small>{words.provisionalMark}</small>}</td>
    <td class="n" data-head={words.proposedHead}>{time(step.learned.within_ns)}{step.learned.within_ns > 0 && <small>{words.fromHops(formatCount(step.learned.hops), plural(step.learned.hops, words.hopWord))}</small>}</td>
    <td class="n opt" data-head={words.medianHead}>{time(step.learned.median_ns)}</td>
    <td class="n opt" data-head={words.p99Head}>{time(step.learned.p99_ns)}</td>
    <td class="n" data-head={words.takenHead}>{known ? formatShare(step.learned.share, 1) : <span class="faint">·</span>}</td>
    <td class="differs">{step.differences.map((one) => <span class="flow-diff late-text" key={one}>{words.differences[one] ?? one}</span>)}
      {accept && isOffered(flow, step) && <button class="btn chip" disabled={isBusy} aria-label={words.acceptStep(label)} onClick={() => accept([step.name])}>{words.accept}</button>}</td></tr>;
}

function FlowPart({ flow, again }: { flow: Flow; again: () => void }) {
  const me = useMe(), mayAccept = may(me, 'operate'), isOpen = me?.mode === 'open';
  const [by, setBy] = useState(ownName), [trouble, setTrouble] = useState(''), [isBusy, setBusy] = useState(false);
  const id = `flow-${flow.key}`;
  const run = async (deed: 'accept' | 'withdraw', steps?: string[]) => {
    if (isOpen && !by.trim()) { setTrouble(words.nameFirst); document.getElementById(`${id}-by`)?.focus(); return; }
    setBusy(true);
    setTrouble('');
    if (isOpen) keepName(by.trim());
    try {
      await send(`/api/v1/flows/${encodeURIComponent(flow.key)}/${deed}`, { by: by.trim() || me?.who || '', ...(steps ? { steps } : {}) });
      again();
    } catch (error) {
      setTrouble(`${words.deedFailed} ${error instanceof Error ? error.message : String(error)}`);
    }
    setBusy(false);
  };
  const isLearned = flow.journeys >= flow.journeys_min;
  return <section class="flow" aria-labelledby={id}>
    <div class="head"><h2 id={id}><Name text={flow.name ?? flow.key} /></h2><span class="dim">{words.flowSources[flow.source]}</span>
      <span class="dim">{isLearned ? words.learnedFrom(formatCount(flow.journeys), plural(flow.journeys, words.completedOrderWord)) : ''}</span></div>
    <p class="small dim">{words.flowOf(flow.key)}{flow.accepted && flow.accepted_by && <> · <span title={zone}>{words.acceptedBy(flow.accepted_by, formatTime(Date.parse(flow.accepted)))}</span></>}</p>
    {!isLearned && <p class="note">{words.tooFewSeen(formatCount(flow.journeys), formatCount(flow.journeys_min))}</p>}
    {flow.steps.length > 0 && <table class="orders flow-steps"><thead><tr><th>{words.stepHead}</th><th class="n">{words.deadlineHead}</th><th class="n">{words.proposedHead}</th><th class="n opt">{words.medianHead}</th><th class="n opt">{words.p99Head}</th><th class="n">{words.takenHead}</th><th>{words.differsHead}</th></tr></thead>
      <tbody>{flow.steps.map((step) => <StepRow key={step.name} flow={flow} step={step} isBusy={isBusy} accept={mayAccept ? (steps) => void run('accept', steps) : undefined} />)}</tbody></table>}
    {flow.steps.some((one) => one.provisional) && <p class="note">{words.provisionalSays}</p>}
    {flow.refused_steps > 0 && <p class="note">{words.refusedSteps(formatCount(flow.refused_steps), plural(flow.refused_steps, words.operationWord))}</p>}
    {(flow.can_accept || flow.accepted) && (mayAccept ? <div class="acts">
      {isOpen && <p><label class="small dim" for={`${id}-by`}>{words.yourName}</label><span class="field"><input id={`${id}-by`} value={by} maxLength={60} autocomplete="name" onInput={(event) => setBy(event.currentTarget.value)} /></span></p>}
      {flow.can_accept && (flow.source !== 'declared' || flow.steps.some((one) => one.provisional)) && <button class="btn main" disabled={isBusy} onClick={() => void run('accept')}>{words.acceptAll}</button>}
      {flow.accepted && <button class="btn" disabled={isBusy} onClick={() => void run('withdraw')}>{words.withdraw}</button>}
    </div> : <p class="note">{words.onlyOperators}</p>)}
    <p class="small late-text" role="status">{trouble}</p>
    {flow.yaml && <details><summary>{words.showYaml}</summary><p><Copy text={flow.yaml} /></p><pre class="yaml" tabIndex={0} aria-label={words.showYaml}>{flow.yaml}</pre></details>}
  </section>;
}

export function FlowsPage({ address: _ }: { address: Address }) {
  const asked = useAsk<Flows>('/api/v1/flows');
  useLive(asked, EVERY_MS);
  useEffect(() => { document.title = `${words.flows} · Filigree`; }, []);
  return <div class="board flows">
    <h1 class="page-title">{words.flowsLead}</h1>
    <Said asked={asked} />
    {asked.data?.flows.length === 0 && <p class="note">{words.noFlows}</p>}
    {asked.data?.flows.map((flow) => <FlowPart key={flow.key} flow={flow} again={asked.again} />)}
  </div>;
}
