// What one would write first in Node: net and pipe.

import { join } from 'node:path';
import { Program } from '../host/program.ts';
import type { Peer } from './peer.ts';

const program = join(import.meta.dirname, 'node-pipe-server.js');

export const nodePipe: Peer = {
  name: 'node-pipe',
  about: 'node:net and stream.pipe, one process',
  entries: ['forward'],
  mptcp: false,
  version: () => process.versions.node,
  launch: ({ port, serverPort, directory }) =>
    new Program(process.execPath, [program, String(port), String(serverPort)], { cwd: directory }),
};
