// The common cases without a file: flags of the command line become the same map a file would hold, and pass the same
// checks. Faults then name the flag.

import { DIRECT } from '../routing/rules.ts';
import { type Fault, type FaultPath, type Finding, formatPath } from './fault.ts';
import type { ConfigDefaults } from './fill.ts';
import type { RawMap } from './names.ts';
import { suggest } from './nearest.ts';
import { type Parsed, validate } from './parse.ts';

/** As the command line gave them, each as text; repeatable ones as lists. */
export interface ConfigFlags {
  /** Addresses of mixed inbounds. */
  readonly listen?: readonly string[];
  readonly socks?: readonly string[];
  readonly http?: readonly string[];
  /** `LISTEN=TARGET` each. */
  readonly forward?: readonly string[];
  /** Upstream proxies as URLs, the nearest first: each is reached through the one before it. */
  readonly outbound?: readonly string[];
  /** Of inbounds, and of the first outbound. */
  readonly transport?: string;
  /** `NAME:HASH` each, for all inbounds. */
  readonly user?: readonly string[];
  /** Client networks, for all inbounds. */
  readonly source?: readonly string[];
  readonly open?: boolean;
  readonly allowLocal?: boolean;
  readonly congestion?: string;
  readonly workers?: string;
  readonly log?: string;
  readonly admin?: string;
  readonly dashboard?: string;
}

const FILE = 'command line';
const OUTBOUND_HINT =
  'socks5://host:port or http://host:port, with name:password@ before the host where it is asked for';

interface Built {
  readonly raw: Record<string, unknown>;
  /** The flag that a part of the map came from, the more special ones last. Bounded by the flags given. */
  readonly origins: { readonly path: FaultPath; readonly flag: string }[];
  readonly faults: Fault[];
}

export function configFromFlags(flags: ConfigFlags, defaults: ConfigDefaults): Parsed {
  const built: Built = { raw: {}, origins: [], faults: [] };
  addTopLevel(built, flags);
  addInbounds(built, flags);
  addOutbounds(built, flags);
  const result = validate(built.raw, defaults);
  const found = 'findings' in result ? result.findings.map((finding) => faultOf(built, finding)) : [];
  const faults = [...new Map([...built.faults, ...found].map((fault) => [JSON.stringify(fault), fault])).values()];
  return 'config' in result && faults.length === 0 ? { config: result.config } : { faults };
}

function addTopLevel({ raw, origins }: Built, { workers, log, admin, dashboard }: ConfigFlags): void {
  for (const [key, text] of Object.entries({ workers, log, admin, dashboard })) {
    if (text === undefined) continue;
    raw[key] = key === 'workers' && /^\d{1,9}$/.test(text) ? Number(text) : text;
    origins.push({ path: [key], flag: `--${key}` });
  }
}

function addInbounds(built: Built, flags: ConfigFlags): void {
  const { raw, origins } = built;
  const shared = sharedOf(built, flags);
  const inbounds: RawMap[] = [];
  const add = (flag: string, map: RawMap) => {
    const path = ['inbounds', inbounds.length];
    origins.push({ path, flag });
    for (const { key, flag: from } of SHARED) origins.push({ path: [...path, ...key], flag: from });
    inbounds.push({ ...shared, ...map });
  };
  const asked = { mixed: flags.listen, socks: flags.socks, http: flags.http };
  for (const [type, addresses = []] of Object.entries(asked)) {
    for (const listen of addresses) add(`--${type === 'mixed' ? 'listen' : type} ${listen}`, { type, listen });
  }
  for (const text of flags.forward ?? []) {
    const equals = text.indexOf('=');
    const hint = '127.0.0.1:9000=198.51.100.7:443';
    if (equals < 0) built.faults.push(fault(`--forward ${text}`, 'has no target', hint));
    // Names and passwords are nothing a forward could ask for; they are for the others.
    const map = { type: 'forward', listen: text.slice(0, equals), target: text.slice(equals + 1), users: undefined };
    if (equals >= 0) add(`--forward ${text}`, map);
  }
  if (inbounds.length === 0 && Object.keys(shared).length > 0)
    add('--listen', { type: 'mixed', listen: '127.0.0.1:1080' });
  if (inbounds.length > 0) raw.inbounds = inbounds;
}

/** Parts of each inbound that come from a flag of their own. */
const SHARED: readonly { readonly key: FaultPath; readonly flag: string }[] = [
  { key: ['users'], flag: '--user' },
  { key: ['sources'], flag: '--source' },
  { key: ['transport'], flag: '--transport' },
  { key: ['socket', 'congestion'], flag: '--congestion' },
];

function sharedOf(built: Built, flags: ConfigFlags): RawMap {
  const users = (flags.user ?? []).flatMap((text) => {
    const colon = text.indexOf(':');
    if (colon >= 0) return [{ name: text.slice(0, colon), password: text.slice(colon + 1) }];
    built.faults.push(fault('--user', 'has no hash', 'name:scrypt:… — make the hash with `anabranch hash`'));
    return [];
  });
  return {
    ...(users.length > 0 ? { users } : {}),
    ...(flags.source === undefined ? {} : { sources: flags.source }),
    ...(flags.open ? { open: true } : {}),
    ...(flags.allowLocal ? { allowLocal: true } : {}),
    ...(flags.transport === undefined ? {} : { transport: flags.transport }),
    ...(flags.congestion === undefined ? {} : { socket: { congestion: flags.congestion } }),
  };
}

function addOutbounds({ raw, origins, faults }: Built, flags: ConfigFlags): void {
  const urls = flags.outbound ?? [];
  const socket = flags.congestion === undefined ? {} : { socket: { congestion: flags.congestion } };
  const first = { ...socket, ...(flags.transport === undefined ? {} : { transport: flags.transport }) };
  if (urls.length === 0) {
    if (Object.keys(first).length > 0) raw.outbounds = [{ name: DIRECT, type: 'direct', ...first }];
  } else {
    raw.outbounds = urls.map((url, index) => {
      const name = `upstream-${index + 1}`;
      const reading = readOutbound(url);
      // The URL may hold a password, so it is not shown.
      if ('wrong' in reading) faults.push(fault(`--outbound (${index + 1})`, reading.wrong, reading.hint));
      const map = 'wrong' in reading ? { type: 'socks', server: 'unreadable.invalid:1' } : reading.map;
      return { name, ...(index === 0 ? first : { via: `upstream-${index}` }), ...map };
    });
    raw.rules = [{ use: `upstream-${urls.length}` }];
  }
  for (let index = 0; index < Math.max(urls.length, 1); index++) {
    origins.push({ path: ['outbounds', index], flag: `--outbound (${index + 1})` });
  }
  if (flags.transport !== undefined) origins.push({ path: ['outbounds', 0, 'transport'], flag: '--transport' });
  if (flags.congestion !== undefined) origins.push({ path: ['outbounds', 0, 'socket'], flag: '--congestion' });
}

type OutboundReading = { readonly map: RawMap } | { readonly wrong: string; readonly hint: string };

const SCHEMES: Readonly<Record<string, { readonly type: string; readonly port: string }>> = {
  'socks5:': { type: 'socks', port: '1080' },
  'socks5h:': { type: 'socks', port: '1080' },
  'socks:': { type: 'socks', port: '1080' },
  'http:': { type: 'http', port: '80' },
};
/** What an URL's query may say of an outbound. */
const QUERY_KEYS = ['transport', 'optimistic', 'congestion'];

function readOutbound(text: string): OutboundReading {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') return { wrong: 'is not the URL of a proxy', hint: OUTBOUND_HINT };
  const scheme = SCHEMES[url.protocol];
  if (url.protocol === 'https:')
    return { wrong: 'asks for TLS, which this version does not speak to proxies', hint: OUTBOUND_HINT };
  if (scheme === undefined) return { wrong: 'names no protocol of ours', hint: OUTBOUND_HINT };
  if ((url.pathname !== '' && url.pathname !== '/') || url.hash !== '') {
    return { wrong: 'goes on after host and port', hint: OUTBOUND_HINT };
  }
  const query = Object.fromEntries(url.searchParams);
  const unknown = Object.keys(query).find((key) => !QUERY_KEYS.includes(key));
  if (unknown !== undefined) return { wrong: 'has an unknown parameter', hint: suggest(unknown, QUERY_KEYS) };
  const { transport, optimistic, congestion } = query;
  const credentials = credentialsOf(url);
  if (credentials === 'unreadable') return { wrong: 'has a % that escapes nothing', hint: '%25 for a percent sign' };
  const map: RawMap = {
    type: scheme.type,
    server: `${url.hostname}:${url.port === '' ? scheme.port : url.port}`,
    ...(transport === undefined ? {} : { transport }),
    ...(optimistic === undefined ? {} : { optimistic: optimistic === '' || optimistic === 'true' || optimistic }),
    ...(congestion === undefined ? {} : { socket: { congestion } }),
    ...(credentials === undefined ? {} : { credentials }),
  };
  return { map };
}

function credentialsOf({ username, password }: URL): RawMap | 'unreadable' | undefined {
  if (username === '' && password === '') return undefined;
  try {
    return { name: decodeURIComponent(username), password: decodeURIComponent(password) };
  } catch {
    return 'unreadable';
  }
}

function faultOf({ origins }: Built, { path, message, hint }: Finding): Fault {
  const covers = (origin: FaultPath) => origin.every((part, index) => part === path[index]);
  const origin = origins.filter((one) => covers(one.path)).sort((a, b) => b.path.length - a.path.length)[0];
  return fault(origin?.flag ?? formatPath(path), message, hint);
}

function fault(key: string, message: string, hint: string): Fault {
  return { file: FILE, line: 0, column: 0, key, message, hint };
}
