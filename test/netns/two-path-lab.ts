// The lab of most tests of paths: a client with two paths, a router, a gateway, and behind it a server that knows no MPTCP:
//
//            ┌─ wifi      20 Mbit/s, 20 ms ─┐
//   client ──┤                              ├── router ── core ── gateway ── backbone ── server
//            └─ cellular  10 Mbit/s, 60 ms ─┘

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { Host, HostProcess } from '#anabranch/lab/host.js';
import type { Lab } from '#anabranch/lab/lab.js';
import type { TopologyInput } from '#anabranch/lab/topology-input.js';
import { within } from '../loopback/support/wait.ts';

/** The program as shipped. */
export const MAIN = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));

type HostInput = NonNullable<TopologyInput['hosts']>[string];
type LinkInput = NonNullable<TopologyInput['links']>[string];

/** A host for which nothing is set up but addresses and default routes. */
export const BARE = {
  sourceRouting: false,
  mptcp: { endpoints: 'none', subflows: 2, addAddrAccepted: 0 },
} as const satisfies HostInput;

export interface TwoPathChanges {
  readonly client?: HostInput;
  readonly gateway?: HostInput;
  readonly cellular?: Partial<LinkInput>;
}

export function twoPathTopology(name: string, { client, gateway, cellular }: TwoPathChanges = {}): TopologyInput {
  return {
    name,
    hosts: { client: client ?? {}, router: { forward: true }, gateway: gateway ?? {}, server: { mptcp: false } },
    links: {
      wifi: { between: ['client', 'router'], rate: '20mbit', rtt: '20ms' },
      cellular: { between: ['client', 'router'], rate: '10mbit', rtt: '60ms', ...cellular },
      core: { between: ['router', 'gateway'], rate: '1gbit' },
      backbone: { between: ['gateway', 'server'], rate: '1gbit' },
    },
  };
}

/** Streams zeros for as long as anybody takes them, or as many as the path says; takes whatever it is sent. */
const ENDLESS = `
  const { createServer } = require('node:http');
  const chunk = Buffer.alloc(65536);
  createServer((request, response) => {
    if (request.method === 'PUT') return request.resume().on('end', () => response.end());
    let left = Number(request.url.slice(1)) || Infinity;
    const write = () => {
      while (left > 0) {
        const bytes = left < chunk.length ? chunk.subarray(0, left) : chunk;
        left -= bytes.length;
        if (!response.write(bytes)) return;
      }
      response.end();
    };
    response.on('drain', write);
    write();
  }).listen(8080, '::', () => console.log('listens'));
`;

/** Starts the endless server; resolves to its URL. */
export async function startEndless(lab: Lab): Promise<string> {
  const server = lab.host('server');
  const origin = server.spawn([process.execPath, '-e', ENDLESS]);
  await within(once(origin.child.stdout, 'data'), 'the server listens');
  return `http://${server.address('backbone')}:8080/`;
}

/** Resolves once the program has said so; reads on afterwards, for one whose pipe is full stands still. */
export function said({ child, exited }: HostProcess, text: string, ms?: number): Promise<void> {
  let heard = '';
  const found = new Promise<void>((resolve) => {
    child.stderr.on('data', (chunk) => {
      heard = `${heard}${String(chunk)}`.slice(-100_000);
      if (heard.includes(text)) resolve();
    });
  });
  const ended = exited.then(({ stderr }) => assert.fail(`it ended: ${stderr}`));
  return within(Promise.race([found, ended]), text, ms);
}

export const READY = '"code":"ready"';

export interface Download {
  /** Bytes that have come so far. */
  got(): number;
  readonly program: HostProcess;
}

/** Ends with the test. `curl`: the command, with the way and the URL. */
export function startDownload(t: TestContext, host: Host, folder: string, curl: readonly string[]): Download {
  const into = join(folder, `download-${performance.now()}`);
  const program = host.spawn([...curl, '-s', '-o', into]);
  t.after(async () => {
    program.kill();
    await program.exited;
    rmSync(into, { force: true });
  });
  return { program, got: () => statSync(into, { throwIfNoEntry: false })?.size ?? 0 };
}
