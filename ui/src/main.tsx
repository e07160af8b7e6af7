// The frame of all pages, and which of them an address means.
import { render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { may, maySee, Me, Permission, useMe } from './account';
import { Address, carryTenant, followLinks, go, setForeign, tenantNamed, useAddress } from './address';
import { AddressNotes } from './address_notes';
import { AdminPage } from './admin';
import { BoardPage } from './board';
import { ComponentsPage } from './components';
import { FlowsPage } from './flows';
import { FrontPage } from './front';
import { Help } from './help';
import { IncidentPage } from './incident';
import { IncidentsPage } from './incidents_page';
import { OrderPage } from './order';
import { NoPage, isTyping, useKeys } from './parts';
import { ScorecardPage } from './scorecard';
import { SearchPage } from './search';
import { SecurityNote } from './security_note';
import { ServicePage } from './service';
import { ServicesPage } from './services';
import { AccountMark, AccountPage, LoginPage, NotYours, SetupPage, TenantMark } from './sign_in';
import { onSlots } from './slots';
import { StorePage } from './store';
import { TracePage } from './trace/page';
import { chooseLanguage, language, words } from './words';

function Page({ address }: { address: Address }) {
  const { path } = address;
  if (path === '/') return <FrontPage address={address} />;
  if (path === '/board') return <BoardPage address={address} />;
  if (path.startsWith('/order/')) return <OrderPage key={path} address={address} />;
  if (path === '/incidents' || path === '/incidents/') return <IncidentsPage address={address} />;
  if (path.startsWith('/incidents/')) return <IncidentPage key={path} address={address} />;
  if (path === '/flows') return <FlowsPage address={address} />;
  if (path === '/scorecard') return <ScorecardPage address={address} />;
  if (path === '/search') return <SearchPage address={address} />;
  if (path.startsWith('/trace/')) return <TracePage key={path} address={address} />;
  if (path === '/services' || path === '/services/') return <ServicesPage address={address} />;
  if (path.startsWith('/services/')) return <ServicePage key={path} address={address} />;
  if (path === '/components') return <ComponentsPage address={address} />;
  if (path === '/store') return <StorePage address={address} />;
  if (path === '/login') return <LoginPage address={address} />;
  if (path === '/setup') return <SetupPage />;
  if (path === '/account') return <AccountPage />;
  if (path === '/admin') return <AdminPage address={address} />;
  return <NoPage />;
}

const PAGES: { path: string; word: string; below?: string; needs: Permission }[] = [
  { path: '/', word: words.nowPage, needs: 'support' }, { path: '/board', word: words.board, below: '/order/', needs: 'support' },
  { path: '/incidents', word: words.incidents, below: '/incidents/', needs: 'support' }, { path: '/scorecard', word: words.scorecard, needs: 'view' }, { path: '/flows', word: words.flows, needs: 'view' },
  { path: '/search', word: words.search, below: '/trace/', needs: 'view' }, { path: '/services', word: words.services, below: '/services/', needs: 'view' },
  { path: '/components', word: words.components, needs: 'view' }, { path: '/store', word: words.store, needs: 'operate' },
];

// Whether this page, of this tenant, is one that the reader may see.
function maySees(me: Me, path: string): boolean {
  const page = PAGES.find((one) => one.path === path || (one.below && path.startsWith(one.below)));
  return !me.who || DOORS.includes(path) || (maySee(me, tenantNamed()) && (!page || may(me, page.needs)) && (path !== '/admin' || may(me, 'admin')));
}

// Pages on which nobody is known yet have no others to go to.
const DOORS = ['/login', '/setup'];

// What follows g.
const GO: Record<string, string> = { n: '/', b: '/board', i: '/incidents', r: '/scorecard', f: '/flows', q: '/search', s: '/services', c: '/components', t: '/store' };

function App() {
  const address = useAddress(), me = useMe();
  setForeign(!maySee(me, tenantNamed())); // before the links below are made
  const afterG = useRef(false);
  const [isHelping, setHelping] = useState(false);
  const [, setSlots] = useState(0);
  useEffect(() => onSlots(() => setSlots((old) => old + 1)), []);
  useEffect(() => { document.documentElement.lang = language; }, []);
  const here = useRef<HTMLElement>(null);
  useEffect(() => { // where the pages don't all fit, the one that is shown does
    const nav = here.current, at = nav?.querySelector<HTMLElement>('[aria-current]');
    if (nav && at && nav.scrollWidth > nav.clientWidth) nav.scrollLeft = at.offsetLeft - nav.offsetLeft - (nav.clientWidth - at.offsetWidth) / 2;
  }, [address.path, me]);
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
      <TenantMark />
      <nav class="nav" ref={here} aria-label={words.pages}>
        {!DOORS.includes(address.path) && PAGES.filter(({ needs }) => may(me, needs)).map(({ path, word, below }) => <a key={path} href={path} aria-current={address.path === path ? 'page' : below && address.path.startsWith(below) ? 'true' : undefined}>{word}</a>)}
      </nav>
      {me?.mode === 'accounts' && may(me, 'admin') && !DOORS.includes(address.path) && <a class="to-admin" href="/admin" aria-label={words.admin} aria-current={address.path === '/admin' ? 'page' : undefined}><span class="wide">{words.admin}</span><span class="narrow" aria-hidden="true">{words.adminShort}</span></a>}
      <AccountMark />
      <span class="languages small">{(['en', 'ru'] as const).map((one) =>
        <button class="as-link" key={one} lang={one} aria-label={one === 'en' ? 'English' : 'Русский'} aria-pressed={one === language} onClick={() => chooseLanguage(one)}><span class="wide">{one === 'en' ? 'English' : 'Русский'}</span><span class="narrow" aria-hidden="true">{one === 'en' ? 'EN' : 'RU'}</span></button>)}
        <button class="btn as-key" aria-label={words.showKeys} aria-haspopup="dialog" onClick={() => setHelping(true)}>?</button></span>
    </header>
    <main id="main" class={address.path.startsWith('/trace/') ? 'full' : ''}><AddressNotes address={address} />{me && !maySees(me, address.path) ? <NotYours me={me} /> : <Page address={address} />}</main>
    <SecurityNote />
    {isHelping && <Help onClose={() => setHelping(false)} />}
  </div>;
}

carryTenant();
render(<App />, document.getElementById('page')!);
