// The shape of the configuration file, as zod sees it. What one value alone can tell is checked here; what two values
// tell together (names, chains, ports) in checks.ts.

import { z } from 'zod';
import { readSendBuffer, SEND_BUFFER_HINT } from './byte-size.ts';
import { DIRECTORY_HINT, LOG_HINT, RETENTION_HINT, readDirectory, readLog, readRetention } from './log-target.ts';
import { pathsSection, strategyChoice, wishText } from './paths-schema.ts';
import * as read from './readings.ts';
import {
  choice,
  duration,
  flag,
  integer,
  LIST_MAX,
  list,
  matching,
  NAME,
  NAME_HINT,
  network,
  oneOrMore,
  section,
  take,
  text,
} from './schema-values.ts';
import { readWeekSpans, TIME_HINT } from './week-spans.ts';

export const INBOUND_TYPES = ['socks', 'http', 'mixed', 'forward'] as const;
export const OUTBOUND_TYPES = ['direct', 'socks', 'http'] as const;
export const TRANSPORTS = ['auto', 'tcp', 'mptcp'] as const;

/** Bounds of numbers, for the schema and the manual. */
const WORKERS_MAX = 256;
const CONNECTIONS_MAX = 1_000_000;
const MARK_MAX = 0xffff_ffff;
const NOTSENT_LOWAT_MAX = 1 << 30;
const SPOOL_BYTES_MIN = 1 << 20;
const SPOOL_BYTES_MAX = 2 ** 40;
const INBOUNDS_MAX = 1_000;

const listen = text(read.readListen, read.LISTEN_HINT, {
  description: 'Address and port to listen on. [::] takes IPv4 too; port 0 lets the kernel choose.',
  examples: ['127.0.0.1:1080', '[::1]:1080'],
});
const transport = choice(TRANSPORTS, {
  description: 'auto: MPTCP where the kernel has it, else TCP.',
  default: 'auto',
});

const socketShape = {
  congestion: matching(/^[a-z0-9_]{1,15}$/, 'the name of a congestion control (cubic, bbr, …), auto or kernel', {
    description:
      "auto: cubic, or bbr over paths that lose packets without being full. Else one by name; kernel leaves the kernel's default.",
    default: 'auto',
  }).optional(),
  mark: integer(1, MARK_MAX, { description: 'SO_MARK, for policy routing; needs CAP_NET_ADMIN.' }).optional(),
  interface: matching(/^[^\s/:\p{C}]{1,15}$/u, 'the name of a network interface, at most 15 characters', {
    description: 'SO_BINDTODEVICE: all subflows of a connection stay on this interface.',
    examples: ['eth0'],
  }).optional(),
  fastOpen: flag({ description: 'TCP Fast Open (RFC 7413).', default: false }).optional(),
  sendBuffer: text(readSendBuffer, SEND_BUFFER_HINT, {
    description:
      'What the kernel may hold of a connection. auto: over several paths no more than keeps them busy; kernel: it grows by itself.',
    default: 'auto',
    examples: ['4MB'],
  }).optional(),
  notsentLowat: integer(1, NOTSENT_LOWAT_MAX, {
    description: "TCP_NOTSENT_LOWAT in bytes: unsent bytes the kernel takes at most; without it the kernel's default.",
  }).optional(),
  keepalive: text(read.readKeepalive, `whole seconds (60s), or off`, {
    description: 'Silence before keepalives; off for none.',
    default: '60s',
  }).optional(),
  userTimeout: text(read.readUserTimeout, `${read.durationHint('120')}, or off`, {
    description: 'How long sent data may stay unacknowledged before the connection is given up; off: until TCP does.',
    default: '2m',
  }).optional(),
};

const inboundSocket = section(socketShape, 'options of accepted connections');
const outboundSocket = section(
  {
    ...socketShape,
    sourceAddress: oneOrMore(
      text(read.readSourceAddress, read.ADDRESS_HINT, { description: 'A local address to connect from.' }),
      read.ADDRESS_HINT,
    ).optional(),
  },
  'options of outgoing connections',
);

const user = section(
  {
    name: text(read.readUserName, read.USER_NAME_HINT, { description: 'Name the client gives.' }),
    password: text(read.readPasswordHash, read.PASSWORD_HINT, {
      description: 'Hash of the password, made by `anabranch hash`.',
      examples: ['scrypt:16384:8:1:…'],
    }),
  },
  'a user',
);

const inbound = section(
  {
    type: choice(INBOUND_TYPES, {
      description: 'Protocol clients speak. mixed: socks and http on one port; forward: none, to a fixed target.',
    }),
    listen: oneOrMore(listen, read.LISTEN_HINT),
    name: matching(NAME, NAME_HINT, { description: 'Unique name; the type, if not given.' }).optional(),
    transport: transport.optional(),
    target: text(read.readDestination, read.DESTINATION_HINT, {
      description: 'forward only: where every connection goes.',
      examples: ['198.51.100.7:443'],
    }).optional(),
    users: list(user, 'name and password each', LIST_MAX)
      .meta({ description: 'Who may connect. Without users there is no authentication.' })
      .optional(),
    sources: list(network, read.NETWORK_HINT, LIST_MAX)
      .meta({ description: 'Client networks that may connect; without it, every one.' })
      .optional(),
    open: flag({
      description: 'Listen beyond loopback although there are neither users nor sources.',
      default: false,
    }).optional(),
    allowLocal: flag({
      description: "Let clients from beyond loopback reach loopback, link-local and the machine's own addresses.",
      default: false,
    }).optional(),
    paths: section({ strategy: strategyChoice.optional() }, 'the paths of an inbound').optional(),
    socket: inboundSocket.optional(),
  },
  'an inbound',
);

const outbound = section(
  {
    name: matching(NAME, NAME_HINT, { description: 'Unique name, for rules and via.' }),
    type: choice(OUTBOUND_TYPES, { description: 'direct: to the destination itself; else through a proxy.' }),
    server: text(read.readDestination, read.DESTINATION_HINT, {
      description: 'Host and port of the proxy; not for direct.',
      examples: ['gw.example.net:1080'],
    }).optional(),
    transport: transport.optional(),
    via: matching(NAME, NAME_HINT, { description: 'Outbound that carries the connection to the server.' }).optional(),
    credentials: section(
      {
        name: text(read.readUserName, read.USER_NAME_HINT, { description: 'Name to give to the proxy.' }),
        password: text(read.readUpstreamPassword, 'a password of 1 to 255 bytes', {
          description: 'Password to give to the proxy, in plain text: keep the file to yourself (chmod 600).',
        }),
      },
      'credentials',
    ).optional(),
    optimistic: flag({
      description: "Send the handshake and the client's first bytes without waiting for the proxy's answers.",
      default: false,
    }).optional(),
    socket: outboundSocket.optional(),
  },
  'an outbound',
);

const someName = z.string({ error: 'a name' }).min(1, { error: 'a name' });
const ports = z
  .union([z.number(), z.string()], { error: read.PORT_HINT })
  .meta({ description: 'A port, or a range.', examples: [443, '8000-8100'] })
  .transform((value, context) => take(read.readPorts(value), context));

const account = z
  .union([z.number(), z.string()], { error: read.ACCOUNT_HINT })
  .meta({ description: 'A login name of this machine, or its number.', examples: ['backup', 1000] })
  .transform((value, context) => take(read.readAccount(value), context));

const rule = section(
  {
    when: section(
      {
        inbound: oneOrMore(someName, 'the name or type of an inbound').optional(),
        source: oneOrMore(network, read.NETWORK_HINT).optional(),
        user: oneOrMore(someName, 'the name of a user').optional(),
        account: oneOrMore(account, read.ACCOUNT_HINT).optional(),
        domain: oneOrMore(
          text(read.readDomain, read.DOMAIN_HINT, {
            description: 'A domain and all below it; with = in front, itself only.',
            examples: ['example.org', '=example.org'],
          }),
          read.DOMAIN_HINT,
        ).optional(),
        address: oneOrMore(network, read.NETWORK_HINT).optional(),
        port: oneOrMore(ports, read.PORT_HINT).optional(),
        time: oneOrMore(
          text(readWeekSpans, TIME_HINT, {
            description: "Days, a span of the day, or both, by this machine's clock; a span may go over midnight.",
            examples: ['mon-fri 08:00-18:00', '22:00-06:00', 'sat,sun'],
          }),
          TIME_HINT,
        )
          .transform((spans) => spans.flat())
          .optional(),
      },
      'conditions',
    ).optional(),
    use: z.string({ error: 'the name of an outbound, direct, or deny' }).meta({
      description: 'Name of an outbound, or deny.',
    }),
    wish: wishText.optional(),
  },
  'a rule',
);

const limits = section(
  {
    connections: integer(1, CONNECTIONS_MAX, {
      description: 'Connections of all inbounds together.',
      default: 8_192,
    }).optional(),
    connectionsPerSource: integer(1, CONNECTIONS_MAX, {
      description: 'Connections of one client address; without it, only limits.connections counts.',
    }).optional(),
  },
  'limits',
);

const timeouts = section(
  {
    handshake: duration(10, "From accept to the end of the client's request.", '10s').optional(),
    resolve: duration(10, 'For a name to be resolved.', '5s').optional(),
    connect: duration(
      10,
      "From the request to an established connection, proxies' handshakes included.",
      '30s',
    ).optional(),
    idle: duration(10, 'Without a byte in either direction.', '1h').optional(),
    halfClosed: duration(10, 'Like idle, once one side has ended its direction.', '5m').optional(),
    drain: duration(0, 'After SIGTERM, until what is left is cut.', '30s').optional(),
  },
  'timeouts',
);

const logPlace = text(readLog, LOG_HINT, {
  description:
    'Where flow records go: off, stdout, a path that ends in .jsonl, embedded, embedded:DIRECTORY, or the URL of a ' +
    'PostgreSQL database. The URL may hold a password: keep the file to yourself (chmod 600).',
  default: 'off',
  examples: ['flows.jsonl', 'embedded', 'postgres://anabranch:password@db.example.net/flows'],
});
const log = section(
  {
    target: logPlace,
    retention: text(readRetention, RETENTION_HINT, {
      description: 'How long a database keeps entries: whole days.',
      default: '30d',
    }).optional(),
    spool: section(
      {
        directory: text(readDirectory, DIRECTORY_HINT, {
          description: 'Where entries wait for the database. Each proxy needs its own.',
        }).optional(),
        bytesMax: integer(SPOOL_BYTES_MIN, SPOOL_BYTES_MAX, {
          description: 'All that waits there, in bytes; beyond that the oldest go.',
          default: 268_435_456,
        }).optional(),
      },
      'the spool',
    ).optional(),
    gateway: matching(NAME, NAME_HINT, {
      description: "This machine's name in the database; its host name, if not given.",
    }).optional(),
  },
  'the log',
);

export const fileSchema = section(
  {
    workers: integer(1, WORKERS_MAX, { description: 'Data-plane threads; one per core, if not given.' }).optional(),
    log: z.union([logPlace, log], { error: LOG_HINT }).optional(),
    admin: text(read.readAdmin, read.ADMIN_HINT, {
      description: "Path of the admin API's unix socket, or off.",
    }).optional(),
    dashboard: text(read.readDashboard, read.DASHBOARD_HINT, {
      description: 'Where the dashboard and /metrics are served, or off.',
      default: '127.0.0.1:1088',
    }).optional(),
    dashboardToken: matching(/^[\x21-\x7e]{16,256}$/, '16 to 256 visible ASCII characters, hard to guess', {
      description: 'What visitors of the dashboard must bring; needed beyond loopback.',
    }).optional(),
    user: matching(/^[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?$/, 'the name of an account of this machine', {
      description: 'Account to change to once everything is opened, when started as root.',
    }).optional(),
    paths: pathsSection.optional(),
    limits: limits.optional(),
    timeouts: timeouts.optional(),
    inbounds: list(inbound, 'inbounds', INBOUNDS_MAX)
      .min(1, { error: 'at least one inbound, or leave `inbounds` out for mixed on 127.0.0.1:1080' })
      .optional(),
    outbounds: list(outbound, 'outbounds', INBOUNDS_MAX).optional(),
    rules: list(rule, 'rules', LIST_MAX).optional(),
  },
  'the configuration',
);

/** What a file means, value by value, before defaults. */
export type FileValues = z.output<typeof fileSchema>;

/** JSON Schema (draft 2020-12) of the file, for editors. */
export function configJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(fileSchema, { io: 'input', reused: 'inline' }), title: 'Anabranch configuration' };
}
