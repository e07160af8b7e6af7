// The shapes and words of states; see the words for what each means. Never a colour alone.
import { State } from './series';
import { words } from './words';

const SHAPES: Record<State, { tone: string; path: preact.JSX.Element }> = {
  failing: { tone: 'broken', path: <path d="m2.2 2.2 9.6 9.6m0-9.6-9.6 9.6" fill="none" stroke="currentColor" stroke-width="2.8" /> },
  silent: { tone: 'stuck', path: <path d="M2.5 1.5h3.2v11H2.5zM8.3 1.5h3.2v11H8.3z" fill="currentColor" /> },
  slow: { tone: 'late', path: <g fill="none" stroke="currentColor" stroke-width="1.8"><circle cx="7" cy="7" r="5.6" /><path d="M7 3.6V7.2l2.4 1.6" /></g> },
  quiet: { tone: 'late', path: <path d="M1.5 4 7 9.5 12.5 4" fill="none" stroke="currentColor" stroke-width="2.2" /> },
  fresh: { tone: 'dim', path: <path d="M7 1.8v10.4M1.8 7h10.4" fill="none" stroke="currentColor" stroke-width="2" /> },
  well: { tone: 'done', path: <path d="m1.8 7.4 3.6 3.8 6.8-8" fill="none" stroke="currentColor" stroke-width="2.2" /> },
};

export function toneOf(state: State): string {
  return SHAPES[state].tone;
}

export function Shape({ state }: { state: State }) {
  return <svg class={`g ${SHAPES[state].tone}`} viewBox="0 0 14 14" aria-hidden="true">{SHAPES[state].path}</svg>;
}

export function Mark({ state, why }: { state: State; why?: string }) {
  return <span class={`st ${SHAPES[state].tone}`} title={why}><Shape state={state} /><span class="st-word">{words.stateWords[state]}</span></span>;
}
