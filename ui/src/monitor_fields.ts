// What a monitor of each kind may be told, for its form; doc/monitors.md says more. The server's parser judges what is typed; here stand
// only the names, what is needed, and the defaults, which are shown where nothing is typed. A test compares the keys with the parser's.
export type Sort = 'text' | 'count' | 'time' | 'bytes' | 'share' | 'list' | 'flag' | 'file' | 'env';
export interface Field { key: string; sort: Sort; needed?: true; otherwise?: string; choices?: readonly string[] }

const text = (key: string, otherwise?: string): Field => ({ key, sort: 'text', otherwise });
const needed = (key: string, otherwise?: string): Field => ({ key, sort: 'text', needed: true, otherwise });
const of = (sort: Sort, key: string, otherwise?: string): Field => ({ key, sort, otherwise });
const chosen = (key: string, ...choices: string[]): Field => ({ key, sort: 'text', choices, otherwise: choices[0] });
// A secret is where it lies, never what it is.
const secret = (key: string): Field[] => [of('file', `${key}-file`), of('env', `${key}-env`)];

export const COMMON: readonly Field[] = [text('service'), of('time', 'interval', '15s'), of('time', 'time-limit', '5s'), of('count', 'confirm', '2'), text('tenant', 'default'), of('flag', 'paused', 'false')];

export const KINDS: Record<string, readonly Field[]> = {
  tcp: [needed('host'), { ...needed('port'), sort: 'count' }, text('banner'), of('time', 'slow')],
  tls: [needed('host'), of('count', 'port', '443'), text('server-name'), of('time', 'warn-before', '14d'), of('file', 'ca-file'), of('flag', 'chain', 'true')],
  dns: [needed('query'), chosen('type', 'A', 'AAAA', 'CNAME', 'NS', 'MX', 'SRV'), of('list', 'expect'), text('server'), of('count', 'port', '53')],
  http: [needed('url'), chosen('method', 'GET', 'HEAD'), of('list', 'status', '200-399'), text('body'), of('time', 'slow'), of('list', 'headers'), text('user'), ...secret('password'), ...secret('token'),
    of('file', 'ca-file'), of('flag', 'verify', 'true'), of('flag', 'follow', 'false'), of('bytes', 'body-size-max', '1MiB')],
  postgresql: [needed('host'), of('count', 'port', '5432'), text('database', 'postgres'), text('user', 'filigree'), ...secret('password'),
    chosen('tls', 'prefer', 'disable', 'require', 'verify-ca', 'verify-full'), of('file', 'ca-file'), chosen('role', 'any', 'primary', 'replica'), of('share', 'connections-warn', '0.9'),
    of('time', 'slow-query', '30s'), of('list', 'slow-query-ignore'), of('time', 'lock-wait', '5s'), of('count', 'replicas-expected', '0'), of('time', 'replica-lag', '30s'), of('bytes', 'replica-lag-bytes'),
    of('bytes', 'slot-bytes', '1GiB'), of('bytes', 'size-max'), text('data-path'), of('bytes', 'space-min', '1GiB')],
  rabbitmq: [needed('url'), text('user', 'filigree'), ...secret('password'), text('vhost', '/'), of('list', 'queues'), of('count', 'consumers-min', '1'), of('count', 'depth-max'), of('time', 'wait-max', '10m'),
    of('list', 'dead-letter-queues'), of('count', 'dead-letters-max', '0'), of('list', 'routes'), of('time', 'unroutable-for', '5m'), of('count', 'amqp-port', '5672'), of('file', 'ca-file')],
  s3: [needed('url'), needed('bucket'), needed('access-key'), ...secret('secret-key').map((one): Field => (one.sort === 'file' ? { ...one, needed: true } : one)), ...secret('session-token'), text('region', 'us-east-1'), of('flag', 'virtual-hosted', 'false'),
    text('prefix', 'filigree-canary'), of('bytes', 'size', '1MiB'), of('bytes', 'floor'), text('storage-class'), of('bytes', 'quota'), of('share', 'quota-warn', '0.9'), of('file', 'ca-file')],
  process: [text('process-name'), text('pid-file'), of('count', 'count-min', '1'), of('bytes', 'memory-max'), of('count', 'restarts-max', '3'), of('time', 'restart-window', '10m'), text('proc', '/proc')],
};

// Shown before one asks for the rest: what is needed, and what most monitors say.
const FIRST = ['service', 'port', 'process-name', 'pid-file', 'user', 'password-file', 'secret-key-file', 'database', 'queues', 'status', 'expect', 'role', 'replicas-expected', 'server-name'];

export function fieldsOf(kind: string): { first: Field[]; rest: Field[] } {
  const all = [...KINDS[kind] ?? [], ...COMMON], isFirst = (one: Field) => one.needed === true || FIRST.includes(one.key);
  return { first: all.filter(isFirst), rest: all.filter((one) => !isFirst(one)) };
}
