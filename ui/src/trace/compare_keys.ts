// The comparison by keys: a focus that goes from row to row and between the two traces' columns, in the list of others as well.
import { amend, go } from '../address';
import { State } from './state';

// What stands in the document decides, so that a key after a click goes on from what was clicked.
const ROWS = '.diff tbody tr', CHOICES = '.others[open] li button';

function rowOf(element: Element | null): HTMLElement | null {
  return element?.closest<HTMLElement>(ROWS) ?? null;
}

// Its link in the column of this trace (0) or the other (1); where it has only one, that one.
function focusRow(row: HTMLElement | undefined, column: number): void {
  const links = row?.querySelectorAll<HTMLElement>('a') ?? [];
  (row?.querySelector<HTMLElement>(`a[data-side="${column}"]`) ?? links[0])?.focus();
}

function step<T extends Element>(all: T[], from: T | null, sign: number): T | undefined {
  const at = from ? all.indexOf(from) : -1;
  return all[at < 0 ? (sign > 0 ? 0 : all.length - 1) : Math.max(0, Math.min(all.length - 1, at + sign))];
}

// The next one that fits, from the row of the focus on; none beyond the last.
function next(all: HTMLElement[], from: HTMLElement | null, sign: number, fits: string): HTMLElement | undefined {
  const at = from ? all.indexOf(from) : sign > 0 ? -1 : all.length;
  for (let i = at + sign; i >= 0 && i < all.length; i += sign) if (all[i]!.matches(fits)) return all[i];
  return undefined;
}

export interface CompareActions { swap: string | undefined; toggleChanged: () => void }

// Whether the key meant something here.
export function onCompareKey(event: KeyboardEvent, state: State, actions: CompareActions): boolean {
  const focused = document.activeElement, row = rowOf(focused), column = Number((focused as HTMLElement | null)?.dataset.side ?? 0);
  const rows = [...document.querySelectorAll<HTMLElement>(ROWS)], choices = [...document.querySelectorAll<HTMLElement>(CHOICES)];
  const isChoosing = choices.length > 0 && !row && (rows.length === 0 || (focused?.closest('.others') ?? null) !== null);
  const along = (sign: number) => {
    if (isChoosing) step(choices, choices.find((one) => one === focused) ?? null, sign)?.focus();
    else focusRow(step(rows, row, sign), column);
    return isChoosing || rows.length > 0;
  };
  const find = (sign: number, fits: string) => {
    const found = next(rows, row, sign, fits);
    if (found) focusRow(found, column);
    return rows.length > 0;
  };
  switch (event.key) {
    case 'j': case 'ArrowDown': return along(1);
    case 'k': case 'ArrowUp': return along(-1);
    case 'Home': case 'End': {
      if (isChoosing) choices[event.key === 'Home' ? 0 : choices.length - 1]?.focus();
      else focusRow(rows[event.key === 'Home' ? 0 : rows.length - 1], column);
      return true;
    }
    case 'ArrowLeft': case 'ArrowRight':
      if (row) focusRow(row, event.key === 'ArrowLeft' ? 0 : 1);
      return row !== null;
    case 'n': return find(1, '.is-changed');
    case 'N': return find(-1, '.is-changed');
    case 'e': return find(1, '.is-failing');
    case 'E': return find(-1, '.is-failing');
    case 'o': {
      const list = document.querySelector<HTMLDetailsElement>('.others');
      if (!list) return false;
      list.open = true;
      (list.querySelector<HTMLElement>('li button') ?? list.querySelector<HTMLElement>('input'))?.focus();
      return true;
    }
    case 'x': if (actions.swap) go(actions.swap); return actions.swap !== undefined;
    case 'm': amend({ diff: state.diff === 'sides' ? undefined : 'sides' }); return true;
    case 'u': actions.toggleChanged(); return true;
    case 'Escape':
      if (row || isChoosing && focused !== document.body) (focused as HTMLElement).blur();
      else if (state.with) amend({ with: undefined });
      else amend({ view: undefined });
      return true;
    default: return false;
  }
}
