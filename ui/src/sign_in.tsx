// Signing in, setting a password by a link, and one's own account.
import { useEffect, useRef, useState } from 'preact/hooks';
import { maySee, Me, placeAfter, send, setMe, tenantShown, useMe } from './account';
import { Address, go, linkTo, replaceBy, tenantNamed } from './address';
import { Refusal } from './ask';
import { formatDuration } from './format';
import { words } from './words';

function sentenceFor(error: unknown): string {
  if (!(error instanceof Refusal)) return String(error);
  if (error.status === 429) return words.tooManyTries(formatDuration((error.retryAfter ?? 1) * 1e9));
  if (error.status === 0 || error.status === 503) return words.serverAway;
  return error.message;
}

export function Field({ label, name, type = 'text', complete, hint, value }: { label: string; name: string; type?: string; complete?: string; hint?: string; value?: string }) {
  return <label class="form-row"><span>{label}</span>
    <span class="field"><input name={name} type={type} autocomplete={complete} autocapitalize="none" spellcheck={false} required defaultValue={value} aria-describedby={hint ? `${name}-hint` : undefined} /></span>
    {hint && <span id={`${name}-hint`} class="small faint">{hint}</span>}</label>;
}

// A form that sends its fields, and says what came of it.
export function Form({ submit, button, children, done }: { submit: (fields: Record<string, string>) => Promise<void>; button: string; children: preact.ComponentChildren; done?: string }) {
  const [said, setSaid] = useState<{ text: string; isBad: boolean }>();
  const [isSending, setSending] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  return <form ref={form} class="form" onSubmit={(event) => {
    event.preventDefault();
    const fields: Record<string, string> = {};
    new FormData(event.currentTarget).forEach((value, key) => { fields[key] = String(value); });
    setSending(true);
    submit(fields).then(() => { setSaid(done ? { text: done, isBad: false } : undefined); form.current?.reset(); }, (error) => setSaid({ text: sentenceFor(error), isBad: true }))
      .finally(() => setSending(false));
  }}>
    {children}
    <p><button class="btn main" type="submit" disabled={isSending}>{button}</button></p>
    <p role="status" class={said?.isBad ? 'bad' : 'dim'}>{said?.text}</p>
  </form>;
}

function enter(me: Me, to: string): void {
  setMe(me);
  replaceBy(to);
}

export function LoginPage({ address }: { address: Address }) {
  const me = useMe(), to = placeAfter(address.params);
  useEffect(() => { document.title = `${words.signIn} · Filigree`; document.querySelector<HTMLInputElement>('input[name=name]')?.focus(); }, []);
  useEffect(() => { if (me && (me.mode === 'open' || me.who)) replaceBy(to); }, [me]);
  return <div class="sign-in"><h1>{words.signIn}</h1>
    {address.params.get('failed') && <p class="note bad" role="alert">{address.params.get('failed') === 'group' ? words.noGroup : words.providerFailed}</p>}
    {me?.provider && <p><a class="btn" href={`/auth/oidc/start?next=${encodeURIComponent(to)}`} target="_self">{words.signInWith(me.provider)}</a></p>}
    <Form button={words.signIn} submit={async ({ name, password }) => {
      try {
        enter(await send<Me>('/api/v1/auth/login', { name, password }), to);
      } catch (error) {
        throw error instanceof Refusal && error.status === 403 ? new Refusal(403, words.wrongPassword) : error;
      }
    }}>
      <Field label={words.accountName} name="name" complete="username" />
      <Field label={words.password} name="password" type="password" complete="current-password" />
    </Form>
    <p class="small faint">{words.lostPassword}</p></div>;
}

// The link's code stands behind #, where it goes to no log.
export function SetupPage() {
  const [code] = useState(() => location.hash.slice(1));
  useEffect(() => { document.title = `${words.setUp} · Filigree`; if (code) history.replaceState(null, '', location.pathname); }, []);
  if (!code) return <div class="sign-in"><h1>{words.setUp}</h1><p class="dim">{words.noLink}</p></div>;
  return <div class="sign-in"><h1>{words.setUp}</h1><p class="dim">{words.setUpHint}</p>
    <Form button={words.setUp} submit={async ({ name, password, again }) => {
      if (password !== again) throw new Refusal(400, words.passwordsDiffer);
      try {
        enter(await send<Me>('/api/v1/auth/setup', { link: code, name, password }), '/');
      } catch (error) {
        throw error instanceof Refusal && error.status === 403 ? new Refusal(403, words.usedLink)
          : error instanceof Refusal && error.status === 400 ? new Refusal(400, words.unfitPassword) : error;
      }
    }}>
      <Field label={words.accountName} name="name" complete="username" hint={words.accountNameHint} />
      <Field label={words.password} name="password" type="password" complete="new-password" hint={words.passwordHint} />
      <Field label={words.passwordAgain} name="again" type="password" complete="new-password" />
    </Form></div>;
}

export async function signOut(): Promise<void> {
  await send('/api/v1/auth/logout').catch(() => undefined);
  setMe(undefined);
  location.assign('/login');
}

export function AccountPage() {
  const me = useMe();
  useEffect(() => { document.title = `${words.account} · Filigree`; }, []);
  if (!me) return <h1>{words.account}</h1>;
  if (me.mode === 'open') return <><h1>{words.account}</h1><p class="dim note">{words.openMode}</p><p><a href="/admin">{words.toAdmin}</a></p></>;
  const roles = (me.roles ?? []).map((role) => words.roleNames[role] ?? role).join(', ');
  return <div class="account"><h1>{me.who}</h1>
    <dl class="work"><div><dt>{words.roles}</dt><dd>{roles}</dd></div>
      <div><dt>{words.tenant}</dt><dd>{me.every_tenant ? words.everyTenant : me.tenant}</dd></div></dl>
    <p><button class="btn" onClick={() => { void signOut(); }}>{words.signOut}</button></p>
    {!me.who?.startsWith('oidc:') && <section><h2>{words.changePassword}</h2>
      <Form button={words.changePassword} done={words.passwordChanged} submit={async ({ password, new_password, again }) => {
        if (new_password !== again) throw new Refusal(400, words.passwordsDiffer);
        try {
          await send('/api/v1/auth/password', { password, new_password });
        } catch (error) {
          throw error instanceof Refusal && error.status === 403 ? new Refusal(403, words.wrongOldPassword)
            : error instanceof Refusal && error.status === 400 ? new Refusal(400, words.unfitPassword) : error;
        }
      }}>
        <Field label={words.oldPassword} name="password" type="password" complete="current-password" />
        <Field label={words.newPassword} name="new_password" type="password" complete="new-password" hint={words.passwordHint} />
        <Field label={words.passwordAgain} name="again" type="password" complete="new-password" />
      </Form></section>}</div>;
}

// In the top bar: whose data one looks at, where that is not plain; who may look at several chooses.
export function TenantMark() {
  const me = useMe();
  if (!me || !me.who || !me.tenant) return null;
  const tenants = me.tenants ?? [], shown = tenantShown(me), isSeen = maySee(me, shown);
  if (tenants.length > 1)
    return <select class="tenant" aria-label={words.tenantShown} value={isSeen ? shown : ''} onChange={(event) => { location.assign(placeOf(me, event.currentTarget.value)); }}>
      {!isSeen && <option value="" disabled>·</option>}
      {tenants.map((one) => <option key={one} value={one}>{one}</option>)}</select>;
  return !isSeen || shown === 'default' ? null : <span class="tenant" aria-label={words.tenantShown} title={words.tenantShown}>{shown}</span>;
}

// Another tenant's front page. The address names it unless it is what one has without.
function placeOf(me: Me, tenant: string): string {
  return linkTo('/', { tenant: tenant === me.tenant ? undefined : tenant });
}

// Instead of a page of a tenant that the reader may not see, or that is not there.
export function NotYours({ me }: { me: Me }) {
  useEffect(() => { document.title = `${words.notAllowedTitle} · Filigree`; }, []);
  const tenant = tenantNamed(), isSeen = maySee(me, tenant);
  return <><h1 class="no-page">{words.notAllowedTitle}</h1><p class="dim">{isSeen ? words.notAllowed : words.notYourTenant(tenant!)}</p>
    <p>{isSeen ? <a href="/">{words.nowPage}</a> : <a href={linkTo('/', { tenant: me.tenant })}>{words.toYourTenant(me.tenant ?? 'default')}</a>}</p></>;
}

// In the top bar: who is signed in.
export function AccountMark() {
  const me = useMe();
  if (!me || me.mode !== 'accounts' || !me.who) return null;
  return <a class="who" href="/account" onClick={(event) => { event.preventDefault(); go('/account'); }} aria-label={words.accountOf(me.who)} title={me.who}>
    <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M8 8.2a3.1 3.1 0 1 0 0-6.2 3.1 3.1 0 0 0 0 6.2ZM2.2 14c.3-3 2.6-4.4 5.8-4.4s5.5 1.4 5.8 4.4" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" /></svg>
    <bdi>{me.who}</bdi></a>;
}
