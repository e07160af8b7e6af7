// Links inside an SVG: followLinks() knows those of HTML alone.
import { go } from './address';

export function followed(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element).closest('a');
  const href = link?.getAttribute('href');
  if (!href) return;
  event.preventDefault();
  go(href);
}
