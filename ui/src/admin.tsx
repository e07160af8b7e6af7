// Accounts, tokens, tenants and the audit, for administrators.
import { useEffect, useState } from 'preact/hooks';
import { askMe, send, useMe } from './account';
import { Address, amend, linkTo } from './address';
import { Refusal, useAsk } from './ask';
import { formatBytes, formatCount, formatTime } from './format';
import { Copy, Long, Name, Said } from './parts';
import { Field, Form } from './sign_in';
import { words } from './words';

interface User { name: string; roles: string[]; tenant: string | null; disabled: boolean; invited: boolean; created: string | null; signed_in: string | null }
interface Token { id: string; name: string; roles: string[]; tenant: string | null; origin: string | null; by: string; created: string | null; expires: string | null; used: string | null }
interface Tenant { name: string; spans_per_second: number; bytes_per_second: number; attributes_per_second: number }
interface AuditRecord { seq: number; time: string; who: string; from: string; action: string; what: string; result: string; tenant: string }

const ROLES = ['ingest', 'support', 'viewer', 'operator', 'admin'];
const rolesText = (roles: string[]): string => roles.map((role) => words.roleNames[role] ?? role).join(', ');
const timeText = (time: string | null): string => (time ? formatTime(Date.parse(time)) : '·');

function Failure({ refusal }: { refusal?: Refusal }) {
  return refusal ? <p class="note bad" role="alert">{words.notRead} <Long text={refusal.message} /></p> : null;
}

function Roles({ chosen, only }: { chosen: string; only?: string[] }) {
  return <fieldset class="role-list"><legend>{words.roles}</legend>{(only ?? ROLES).map((role) => <label key={role}>
    <input type="checkbox" name={`role-${role}`} value={role} defaultChecked={role === chosen} /> {words.roleNames[role]} <span class="small faint">{words.roleHints[role]}</span></label>)}</fieldset>;
}

function rolesOf(fields: Record<string, string>): string[] {
  return ROLES.filter((role) => fields[`role-${role}`]);
}

function TenantChoice({ tenants, every }: { tenants: string[]; every?: boolean }) {
  if (tenants.length < 2 && !every) return null;
  return <label class="form-row"><span>{words.tenant}</span><select name="tenant" class="btn" defaultValue="default">{tenants.map((one) => <option key={one} value={one}>{one}</option>)}{every && <option value="*">{words.everyTenant}</option>}</select></label>;
}

// What is told this once.
function Secret({ title, text, onClose }: { title: string; text: string; onClose: () => void }) {
  return <div class="secret" role="status"><p><b>{title}</b></p><pre class="id">{text}</pre>
    <p><Copy text={text} /> <button class="as-link" onClick={onClose}>{words.close}</button></p></div>;
}

function act(path: string, body: unknown, question: string | undefined, done: () => void, failed: (error: Refusal) => void): void {
  if (question && !confirm(question)) return;
  send(path, body).then(done, (error) => failed(error instanceof Refusal ? error : new Refusal(-1, String(error))));
}

function Users({ tenants }: { tenants: string[] }) {
  const asked = useAsk<{ users: User[] }>('/api/v1/users');
  const [link, setLink] = useState<{ name: string; code: string }>();
  const [refusal, setRefusal] = useState<Refusal>();
  const change = (user: User, path: string, body: unknown, question?: string) =>
    act(`/api/v1/users/${encodeURIComponent(user.name)}${path}`, body, question, () => { setRefusal(undefined); asked.again(); }, setRefusal);
  const invite = (user: User) => {
    if (!confirm(words.askInvite(user.name))) return;
    send<{ link: string }>(`/api/v1/users/${encodeURIComponent(user.name)}`, { invite: true })
      .then((answer) => { setLink({ name: user.name, code: answer.link }); asked.again(); }, setRefusal);
  };
  return <section><h2>{words.users}</h2><Said asked={asked} /><Failure refusal={refusal} />
    {link && <Secret title={words.linkFor(link.name)} text={`${location.origin}/setup#${link.code}`} onClose={() => setLink(undefined)} />}
    <div class="scrolls" tabIndex={0} role="region" aria-label={words.users}><table class="of-rows"><thead><tr><th>{words.accountName}</th><th>{words.roles}</th><th>{words.tenant}</th><th>{words.signedInHead}</th><th><span class="vh">{words.actions}</span></th></tr></thead>
      <tbody>{(asked.data?.users ?? []).map((user) => <tr key={user.name}>
        <td><b><Name text={user.name} /></b>{user.disabled && <span class="faint"> {words.disabled}</span>}{user.invited && <span class="faint"> {words.invited}</span>}</td>
        <td data-head={words.roles}>{rolesText(user.roles)}</td><td data-head={words.tenant}>{user.tenant === '*' ? words.everyTenant : user.tenant}</td><td class="nw" data-head={words.signedInHead}>{timeText(user.signed_in)}</td>
        <td class="row-acts"><button class="as-link" onClick={() => invite(user)}>{words.newLink}</button>
          <button class="as-link" onClick={() => change(user, '/logout', {})}>{words.signOutAll}</button>
          <button class="as-link" onClick={() => change(user, '', { disabled: !user.disabled })}>{user.disabled ? words.enable : words.disable}</button>
          <button class="as-link" onClick={() => change(user, '/remove', {}, words.askRemove(user.name))}>{words.remove}</button></td></tr>)}</tbody></table></div>
    <details><summary>{words.addUser}</summary>
      <Form button={words.addUser} submit={async (fields) => {
        const answer = await send<{ name: string; link?: string }>('/api/v1/users', { name: fields.name, roles: rolesOf(fields), ...(fields.tenant ? { tenant: fields.tenant } : {}) });
        if (answer.link) setLink({ name: answer.name, code: answer.link });
        asked.again();
      }}>
        <Field label={words.accountName} name="name" complete="off" hint={words.accountNameHint} />
        <Roles chosen="viewer" /><TenantChoice tenants={tenants} every />
      </Form></details></section>;
}

function Tokens({ tenants }: { tenants: string[] }) {
  const asked = useAsk<{ tokens: Token[] }>('/api/v1/tokens');
  const [secret, setSecret] = useState<string>();
  const [refusal, setRefusal] = useState<Refusal>();
  return <section><h2>{words.tokens}</h2><p class="dim note">{words.tokensHint}</p><Said asked={asked} /><Failure refusal={refusal} />
    {secret && <Secret title={words.tokenOnce} text={secret} onClose={() => setSecret(undefined)} />}
    {asked.data?.tokens.length === 0 ? <p class="dim note">{words.tokensNone}</p> : <div class="scrolls" tabIndex={0} role="region" aria-label={words.tokens}><table class="of-rows"><thead><tr><th>{words.name}</th><th>{words.tokenId}</th><th>{words.roles}</th><th>{words.tenant}</th><th>{words.expires}</th><th>{words.usedHead}</th><th><span class="vh">{words.actions}</span></th></tr></thead>
      <tbody>{(asked.data?.tokens ?? []).map((token) => <tr key={token.id}>
        <td><b><Name text={token.name} /></b>{token.origin && <span class="faint"> <Name text={token.origin} /></span>}</td><td class="id" data-head={words.tokenId}>{token.id}</td><td data-head={words.roles}>{rolesText(token.roles)}</td>
        <td data-head={words.tenant}>{token.tenant === '*' ? words.everyTenant : token.tenant}</td><td class="nw" data-head={words.expires}>{token.expires ? timeText(token.expires) : words.never}</td><td class="nw" data-head={words.usedHead}>{timeText(token.used)}</td>
        <td class="row-acts"><button class="as-link" onClick={() => act(`/api/v1/tokens/${token.id}/revoke`, {}, words.askRevoke(token.name), asked.again, setRefusal)}>{words.revoke}</button></td></tr>)}</tbody></table></div>}
    <details><summary>{words.addToken}</summary>
      <Form button={words.addToken} submit={async (fields) => {
        const answer = await send<{ token: string }>('/api/v1/tokens', {
          name: fields.name, roles: rolesOf(fields), expires: fields.expires || null,
          ...(fields.tenant ? { tenant: fields.tenant } : {}), ...(fields.origin ? { origin: fields.origin } : {}) });
        setSecret(answer.token);
        asked.again();
      }}>
        <Field label={words.name} name="name" complete="off" hint={words.tokenNameHint} />
        <Roles chosen="ingest" /><TenantChoice tenants={tenants} every />
        <label class="form-row"><span>{words.expires}</span><select class="btn" name="expires" defaultValue="90d"><option value="30d">30 d</option><option value="90d">90 d</option><option value="365d">365 d</option><option value="">{words.never}</option></select></label>
        <label class="form-row"><span>{words.origin}</span><span class="field"><input name="origin" placeholder="https://shop.example" aria-describedby="origin-hint" /></span><span id="origin-hint" class="small faint">{words.originHint}</span></label>
      </Form></details></section>;
}

const BOUNDS = ['spans_per_second', 'bytes_per_second', 'attributes_per_second'] as const;

function Tenants() {
  const asked = useAsk<{ tenants: Tenant[] }>('/api/v1/tenants');
  const [chosen, setChosen] = useState<string>(); // whose quotas are changed
  const tenants = asked.data?.tenants ?? [], shown = tenants.find((one) => one.name === chosen);
  const bound = (tenant: Tenant, which: typeof BOUNDS[number]) =>
    tenant[which] === 0 ? <span class="faint">{words.noBound}</span> : which === 'bytes_per_second' ? formatBytes(tenant[which]) : formatCount(tenant[which]);
  const keep = async (path: string, fields: Record<string, string>, name?: string) => {
    await send(path, { ...(name ? { name } : {}), ...Object.fromEntries(BOUNDS.map((which) => [which, Number(fields[which] || 0)])) });
    setChosen(undefined);
    asked.again();
  };
  const fields = (tenant?: Tenant) => BOUNDS.map((which) => <label class="form-row" key={which}><span>{words.boundNames[which]}</span>
    <span class="field"><input name={which} type="number" min="0" step="1" placeholder={words.noBound} defaultValue={tenant?.[which] ? String(tenant[which]) : ''} /></span></label>);
  return <section><h2>{words.tenants}</h2><p class="dim note">{words.tenantsHint}</p><Said asked={asked} />
    <div class="scrolls" tabIndex={0} role="region" aria-label={words.tenants}><table class="of-rows"><thead><tr><th>{words.name}</th>{BOUNDS.map((which) => <th key={which}>{words.boundNames[which]}</th>)}<th><span class="vh">{words.actions}</span></th></tr></thead>
      <tbody>{tenants.map((tenant) => <tr key={tenant.name}><td><b><Name text={tenant.name} /></b></td>{BOUNDS.map((which) => <td key={which} data-head={words.boundNames[which]}>{bound(tenant, which)}</td>)}
        <td class="row-acts"><button class="as-link" aria-expanded={tenant.name === chosen} onClick={() => setChosen(tenant.name === chosen ? undefined : tenant.name)}>{words.quotas}</button></td></tr>)}</tbody></table></div>
    {shown && <Form key={shown.name} button={words.keepQuotas(shown.name)} submit={(given) => keep(`/api/v1/tenants/${encodeURIComponent(shown.name)}`, given)}>{fields(shown)}</Form>}
    <details><summary>{words.addTenant}</summary>
      <Form button={words.addTenant} submit={async (given) => { await keep('/api/v1/tenants', given, given.name); askMe(); }}>
        <Field label={words.name} name="name" complete="off" hint={words.tenantNameHint} />{fields()}
      </Form></details></section>;
}

// What was asked for stands there as it was sent.
function readable(what: string): string {
  try {
    return decodeURIComponent(what.replace(/\+/g, ' '));
  } catch {
    return what;
  }
}

const AUDIT_BY = ['who', 'action', 'what'] as const;

function Audit({ address, tenants }: { address: Address; tenants: string[] }) {
  const given = (name: string) => address.params.get(name) ?? undefined;
  const asked = useAsk<{ records: AuditRecord[]; next: number | null }>(linkTo('/api/v1/audit', { limit: '50', before: given('before'), who: given('who'), action: given('action'), what: given('what') }));
  const records = asked.data?.records ?? [], isAll = AUDIT_BY.every((one) => !given(one));
  const heads = { who: words.auditWho, action: words.auditAction, what: words.auditWhat };
  return <section><h2>{words.audit}</h2><p class="dim note">{words.auditHint}</p>
    <form class="audit-by" onSubmit={(event) => {
      event.preventDefault();
      const data = new FormData(event.currentTarget);
      amend({ before: undefined, ...Object.fromEntries(AUDIT_BY.map((one) => [one, String(data.get(one) ?? '').trim() || undefined])) });
    }}>
      {AUDIT_BY.map((one) => <label key={one}><span>{heads[one]}</span> <span class="field"><input key={given(one)} name={one} autocapitalize="none" spellcheck={false} placeholder={words.auditExamples[one]} defaultValue={given(one)} /></span></label>)}
      <button class="btn" type="submit">{words.auditShow}</button>
      {!isAll && <button class="as-link" type="button" onClick={() => amend({ before: undefined, who: undefined, action: undefined, what: undefined })}>{words.auditAll}</button>}</form>
    <Said asked={asked} />
    {asked.data && records.length === 0 && <p class="dim">{isAll ? words.auditNone : words.auditNoneSuch}</p>}
    {records.length > 0 && <div class="scrolls" tabIndex={0} role="region" aria-label={words.audit}><table><thead><tr><th>{words.auditWhen}</th><th>{words.auditWho}</th><th>{words.auditAction}</th><th>{words.auditWhat}</th><th>{words.auditResult}</th>{tenants.length > 1 && <th>{words.tenant}</th>}<th>{words.auditFrom}</th></tr></thead>
      <tbody>{records.map((one) => <tr key={one.seq}><td class="nw">{timeText(one.time)}</td><td>{one.who ? <Name text={one.who} /> : words.nobody}</td><td class="nw">{one.action}</td><td class="id what"><Long text={readable(one.what)} /></td><td class={one.result === 'ok' || one.result === 'begun' ? '' : 'bad'}>{one.result}</td>{tenants.length > 1 && <td>{one.tenant}</td>}<td class="nw">{one.from}</td></tr>)}</tbody></table></div>}
    {asked.data?.next != null && <p><a href={linkTo('/admin', { before: String(asked.data.next), who: given('who'), action: given('action'), what: given('what') })}>{words.older}</a></p>}</section>;
}

export function AdminPage({ address }: { address: Address }) {
  const me = useMe();
  useEffect(() => { document.title = `${words.admin} · Filigree`; }, []);
  const tenants = me?.tenants ?? ['default'];
  return <div class="admin"><h1>{words.admin}</h1>
    {me?.mode === 'open' && <p class="note dim">{words.openMode}</p>}
    <Users tenants={tenants} /><Tokens tenants={tenants} /><Tenants />{me?.mode === 'accounts' && <Audit address={address} tenants={tenants} />}</div>;
}
