// The keys of all pages, on `?`. A page adds its own to SECTIONS.
import { useEffect, useRef } from 'preact/hooks';
import { COMPARE_KEYS, TRACE_KEYS } from './trace/key_list';
import { words } from './words';

interface Section { title: string; keys: [key: string, what: string][] }

const SECTIONS: Section[] = [
  { title: words.keysEverywhere, keys: [['/', words.keySearch], ['?', words.keyHelp], ['g n', words.nowPage], ['g b', words.board], ['g i', words.incidents], ['g r', words.scorecard], ['g f', words.flows], ['g q', words.search], ['g s', words.services], ['g c', words.components], ['g t', words.store], ['Esc', words.keyBack]] },
  { title: words.search, keys: [['j k', words.keyRow], ['Enter', words.keyOpen], ['b', words.keyBuilder], ['h', words.keyChart], ['l', words.keyLive],
    ['↑ ↓', words.keyChoices], ['Tab', words.keyTake]] },
  { title: words.keysChart, keys: [['← → ↑ ↓', words.keyMove], ['Shift ← →', words.keySelect], ['Enter', words.keyChartEnter], ['Esc', words.keyUnselect]] },
  { title: words.services, keys: [['j k', words.keyRow], ['← → ↑ ↓', words.keyMap], ['Enter', words.keyOpen]] },
  { title: words.trace, keys: TRACE_KEYS },
  { title: words.keysCompare, keys: COMPARE_KEYS },
];

export function Help({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    dialog.current?.showModal();
    return () => before?.focus?.();
  }, []);
  return <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={onClose}
    onClick={(event) => { if (event.target === dialog.current) dialog.current?.close(); }}
    onKeyDown={(event) => { if (event.key === '?') { event.preventDefault(); dialog.current?.close(); } event.stopPropagation(); }}>
    <div class="help-in">
      <h2 id="help-title">{words.keys}<button class="as-link close" onClick={() => dialog.current?.close()}>{words.close}</button></h2>
      <div class="help-sections">{SECTIONS.map(({ title, keys }) => <section key={title}>
        <h3>{title}</h3>
        <dl>{keys.map(([key, what]) => <div key={key}><dt>{key.split(' ').map((one) => <kbd key={one}>{one}</kbd>)}</dt><dd>{what}</dd></div>)}</dl>
      </section>)}</div>
    </div>
  </dialog>;
}
