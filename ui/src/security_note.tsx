// Whose the server is, said quietly below each page while it has no accounts.
import { useAsk } from './ask';
import { words } from './words';

interface Security { mode: 'open' | 'accounts'; tls: boolean; local: boolean; insecure: string }

export function SecurityNote() {
  const { data } = useAsk<Security>('/api/v1/security');
  if (!data) return null;
  const said = data.mode === 'open' ? (data.local ? words.openHere : words.openToAll) : !data.tls && data.insecure !== 'no' ? words.plainToAll : undefined;
  if (said === undefined) return null;
  return <footer class={`page-foot small ${data.local ? 'dim' : 'is-risk'}`}>{said}</footer>;
}
