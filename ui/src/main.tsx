// The frame of all pages, and which of them an address means.
import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Address, followLinks, go, useAddress } from './address';
import { BoardPage } from './board';
import { FrontPage } from './front';
import { Help } from './help';
import { OrderPage } from './order';
import { isTyping, useKeys } from './parts';
import { SearchPage } from './search';
import { ServicePage } from './service';
import { ServicesPage } from './services';
import { onSlots } from './slots';
import { StorePage } from './store';
import { TracePage } from './trace/page';
import { chooseLanguage, language, words } from './words';

function Page({ address }: { address: Address }) {
  const { path } = address;
  if (path === '/') return <FrontPage address={address} />;
  if (path === '/board') return <BoardPage address={address} />;
  if (path.startsWith('/order/')) return <OrderPage key={path} address={address} />;
  if (path === '/search') return <SearchPage address={address} />;
  if (path.startsWith('/trace/')) return <TracePage key={path} address={address} />;
  if (path === '/services' || path === '/services/') return <ServicesPage address={address} />;
  if (path.startsWith('/services/')) return <ServicePage key={path} address={address} />;
  if (path === '/store') return <StorePage address={address} />;
  return <><h1 class="no-page">{words.noPage}</h1><p><a href="/search">{words.toSearch}</a></p></>;
}

const PAGES = [
  { path: '/', word: words.nowPage }, { path: '/board', word: words.board, below: '/order/' },
  { path: '/search', word: words.search, below: '/trace/' }, { path: '/services', word: words.services, below: '/services/' },
  { path: '/store', word: words.store },
];

// What follows g.
const GO: Record<string, string> = { n: '/', b: '/board', q: '/search', s: '/services', t: '/store' };

function App() {
  const address = useAddress();
  const afterG = useRef(false);
  const [isHelping, setHelping] = useState(false);
  const [, setSlots] = useState(0);
  useEffect(() => onSlots(() => setSlots((old) => old + 1)), []);
  useEffect(() => { document.documentElement.lang = language; }, []);
  useKeys((event) => {
    if (isTyping(event)) return;
    const wasG = afterG.current;
    afterG.current = event.key === 'g';
    if (event.key === '/') {
      event.preventDefault();
      const line = document.getElementById('query');
      if (line) line.focus();
      else { go('/'); requestAnimationFrame(() => document.getElementById('query')?.focus()); }
    } else if (event.key === '?') setHelping(true);
    const to = wasG ? GO[event.key] : undefined;
    if (to === undefined) return;
    event.stopImmediatePropagation(); // on a page the letter may mean something else
    go(to);
  }, true);
  return <div onClick={followLinks}>
    <a class="skip" href="#main">{words.skip}</a>
    <header class="top">
      <a class="mark" href="/">Filigree</a>
      <nav class="nav" aria-label={words.pages}>
        {PAGES.map(({ path, word, below }) => <a key={path} href={path} aria-current={address.path === path ? 'page' : below && address.path.startsWith(below) ? 'true' : undefined}>{word}</a>)}
      </nav>
      <span class="languages small">{(['en', 'ru'] as const).map((one) =>
        <button class="as-link" key={one} lang={one} aria-label={one === 'en' ? 'English' : 'Русский'} aria-pressed={one === language} onClick={() => chooseLanguage(one)}><span class="wide">{one === 'en' ? 'English' : 'Русский'}</span><span class="narrow" aria-hidden="true">{one === 'en' ? 'EN' : 'RU'}</span></button>)}
        <button class="btn as-key" aria-label={words.showKeys} aria-haspopup="dialog" onClick={() => setHelping(true)}>?</button></span>
    </header>
    <main id="main" class={address.path.startsWith('/trace/') ? 'full' : ''}><Page address={address} /></main>
    {isHelping && <Help onClose={() => setHelping(false)} />}
  </div>;
}

render(<App />, document.getElementById('page')!);
