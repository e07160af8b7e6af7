// The shape of a state, and its word; colour comes last.
import { State } from './journeys';
import { words } from './words';

const SHAPES: Record<State, preact.JSX.Element> = {
  flowing: <path d="M2 2.5 6.5 7 2 11.5M7.5 2.5 12 7l-4.5 4.5" fill="none" stroke="currentColor" stroke-width="2" />,
  waiting: <><circle cx="7" cy="4" r="2.9" fill="currentColor" /><path d="M1.5 13a5.5 4.9 0 0 1 11 0z" fill="currentColor" /></>,
  late: <><circle cx="7" cy="7" r="5.6" fill="none" stroke="currentColor" stroke-width="1.8" /><path d="M7 3.6V7.2l2.4 1.6" fill="none" stroke="currentColor" stroke-width="1.8" /></>,
  stuck: <path d="M2.5 1.5h3.2v11H2.5zM8.3 1.5h3.2v11H8.3z" fill="currentColor" />,
  broken: <path d="m2.2 2.2 9.6 9.6m0-9.6-9.6 9.6" fill="none" stroke="currentColor" stroke-width="2.8" />,
  done: <path d="m1.8 7.4 3.6 3.8 6.8-8" fill="none" stroke="currentColor" stroke-width="2.2" />,
  cancelled: <><circle cx="7" cy="7" r="5.6" fill="none" stroke="currentColor" stroke-width="1.8" /><path d="m3.2 10.8 7.6-7.6" stroke="currentColor" stroke-width="1.8" /></>,
};

export function StateShape({ state }: { state: State }) {
  return <svg class="g" viewBox="0 0 14 14" aria-hidden="true">{SHAPES[state]}</svg>;
}

export function StateMark({ state, long }: { state: State; long?: boolean }) {
  return <span class={`st is-${state}`}><StateShape state={state} /><span class="w">{(long ? words.states : words.inState)[state]}</span></span>;
}
