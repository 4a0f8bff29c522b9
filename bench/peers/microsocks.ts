// microsocks: SOCKS 5, one thread a connection.

import { Program } from '../host/program.ts';
import type { Peer } from './peer.ts';
import { packageVersion, versionOf } from './version.ts';

export const microsocks: Peer = {
  name: 'microsocks',
  about: 'as installed; one thread a connection',
  entries: ['socks'],
  mptcp: true,
  // It does not tell its version itself.
  version: () => (versionOf('microsocks', ['-h']) === undefined ? undefined : packageVersion('microsocks')),
  launch: ({ port, directory, transport }) =>
    new Program('microsocks', ['-i', '127.0.0.1', '-p', String(port)], {
      cwd: directory,
      // It writes a line for every connection, and old versions cannot be told not to.
      silent: true,
      mptcp: transport !== 'tcp',
    }),
};
