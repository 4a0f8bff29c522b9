// The shape of the section `paths`: what the owner knows of his paths, and what he wants of them.

import type { z } from 'zod';
import { ANNOUNCED_HINT, readAnnounced } from './announced.ts';
import { BYTE_SIZE_HINT, readByteSize } from './byte-size.ts';
import { DIRECTORY_HINT, readDirectory } from './log-target.ts';
import { DESTINATION_HINT, readDestination, readDuration } from './readings.ts';
import { choice, flag, integer, list, matching, network, oneOrMore, section, text } from './schema-values.ts';
import { readWish, WISH_HINT } from './wish.ts';

export const PATHS_MODES = ['kernel', 'userspace'] as const;
export const STRATEGIES = ['fullmesh', 'ndiffports', 'gateways', 'backup', 'single'] as const;
export const PATH_KINDS = ['ethernet', 'wifi', 'cellular', 'dsl', 'tunnel', 'virtual', 'unknown'] as const;
export const PATH_COSTS = ['free', 'metered'] as const;
export const BUDGET_ENDS = ['backup', 'off'] as const;

/** More than one machine has ways out. */
const KNOWN_MAX = 256;
/** MPTCP_PM_ADDR_MAX in net/mptcp/protocol.h: a connection has no more further subflows. */
const SUBFLOWS_MAX = 8;
/** As a route's metric has it (u32). */
const PRIORITY_MAX = 0xffff_ffff;
const PROBE_MS_MIN = 1_000;

export const strategyChoice = choice(STRATEGIES, {
  description: 'Which subflows a connection gets; mode userspace only.',
  default: 'fullmesh',
});

export const wishText = text(readWish, WISH_HINT, {
  description:
    'What the paths are to be used for: max-throughput, low-latency, avoid metered, prefer NAME or only NAME.',
  default: 'max-throughput',
  examples: ['avoid metered', 'prefer dsl', 'only lte'],
});

const endpoint = section(
  {
    subflow: flag({
      description: 'Connections get a further subflow from here; without it true, unless signal is.',
    }).optional(),
    backup: flag({ description: 'Used only while no other path works.', default: false }).optional(),
    fullmesh: flag({
      description: 'A subflow to every address of the peer; not with signal.',
      default: false,
    }).optional(),
    signal: flag({ description: 'Tell the address to the peer, for joins from there.', default: false }).optional(),
    laminar: flag({
      description: 'Answer each announced address from its own local one; from Linux 6.18 on.',
      default: false,
    }).optional(),
    port: integer(0, 65_535, {
      description: 'Port to tell to the peer, where the kernel listens for joins; 0: that of the connection.',
      default: 0,
    }).optional(),
  },
  'an endpoint',
);

const known = section(
  {
    match: section(
      {
        interface: matching(/^[^\s/:\p{C}]{1,32}$/u, 'the name of an interface; * and ? stand for other letters', {
          description: 'Name of the interface; * stands for any letters, ? for one.',
          examples: ['wwan*'],
        }).optional(),
        kind: choice(PATH_KINDS, { description: 'The kind as it would be guessed.' }).optional(),
        address: network.optional(),
      },
      'what tells a path',
    ),
    name: matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'letters, digits, dots, hyphens and underscores, at most 63', {
      description: "The path's name; the interface's, if not given.",
      examples: ['lte'],
    }).optional(),
    kind: choice(PATH_KINDS, { description: 'What it is, if the guess is wrong.' }).optional(),
    cost: choice(PATH_COSTS, {
      description: 'metered: each byte costs; cellular is, unless told otherwise.',
    }).optional(),
    priority: integer(0, PRIORITY_MAX, {
      description: 'Smaller is preferred: paths behind the best one that works stand by.',
      default: 0,
    }).optional(),
    ignore: flag({
      description: 'true: no path. false makes a path of a tunnel, too, which is left out otherwise.',
    }).optional(),
    endpoint: endpoint.optional(),
    budget: section(
      {
        monthly: text(readByteSize, BYTE_SIZE_HINT, {
          description: 'Bytes in both directions per month.',
          examples: ['5GB'],
        }),
        from: integer(1, 31, {
          description: 'Day on which the month begins; its last day where it has no such day.',
          default: 1,
        }).optional(),
        // biome-ignore lint/suspicious/noThenProperty: a word of the file; nobody awaits it.
        then: choice(BUDGET_ENDS, {
          description: 'What becomes of the path when all is used up: backup, or off.',
          default: 'backup',
        }).optional(),
      },
      'a budget',
    ).optional(),
  },
  'a known path',
);

const probe = section(
  {
    every: text((value) => readDuration(value, PROBE_MS_MIN), 'a number with its unit: 30s, 5m', {
      description: 'Time between two probes of a path, at least 1s.',
      default: '30s',
    }).optional(),
    to: text(readDestination, DESTINATION_HINT, {
      description: 'Server to ask over each path: a gateway of your own.',
      examples: ['gw.example.net:1080'],
    }),
    metered: flag({ description: 'Probe metered paths, too.', default: false }).optional(),
    portal: matching(
      /^http:\/\/(\[[\da-f:.]+\]|[a-z\d][a-z\d.-]*)(:\d{1,5})?(\/[!-~]*)?$/i,
      'an http:// URL that a server of the Internet answers with 204 No Content',
      {
        description: 'Page that tells captive portals: whoever answers it with anything but 204 is one.',
        examples: ['http://gw.example.net/generate_204'],
      },
    ).optional(),
  },
  'the probe',
);

const balancer = section(
  {
    announce: oneOrMore(
      text(readAnnounced, ANNOUNCED_HINT, {
        description: 'An address of this gateway alone, for clients to join; with a port the kernel listens there.',
        examples: ['198.51.100.9', '198.51.100.9:10443'],
      }),
      ANNOUNCED_HINT,
    ),
  },
  'a gateway behind a load balancer',
);

export const pathsSection = section(
  {
    manage: flag({
      description: 'Set up source routing and MPTCP endpoints for every path, and keep them so; needs CAP_NET_ADMIN.',
      default: false,
    }).optional(),
    mode: choice(PATHS_MODES, {
      description: 'Who opens subflows: the kernel, by its endpoints; or anabranch, each connection as its rule wants.',
      default: 'kernel',
    }).optional(),
    strategy: strategyChoice.optional(),
    subflows: integer(1, SUBFLOWS_MAX, {
      description: 'ndiffports only: subflows for each pair of addresses.',
      default: 2,
    }).optional(),
    wish: wishText.optional(),
    meteredAfter: text(readByteSize, BYTE_SIZE_HINT, {
      description: 'Mode userspace only: a subflow over a metered path only once a connection has carried so much.',
      examples: ['1MB'],
    }).optional(),
    state: text(readDirectory, DIRECTORY_HINT, {
      description: 'Directory where the use of budgets is kept.',
    }).optional(),
    known: list(known, 'what is known of a path; the first match counts', KNOWN_MAX).optional(),
    probe: probe.optional(),
    balancer: balancer.optional(),
  },
  'the paths',
);

export type PathsValues = z.output<typeof pathsSection>;
