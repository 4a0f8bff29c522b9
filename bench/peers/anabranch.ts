// This proxy: one worker, no flow records.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from '../host/program.ts';
import type { Peer, Setting } from './peer.ts';

const root = join(import.meta.dirname, '../../..');
const entryPoint = join(root, 'dist/cli/main.js');

export const anabranch: Peer = {
  name: 'anabranch',
  about: 'one worker, log off',
  entries: ['forward', 'socks', 'http'],
  mptcp: true,
  version: () => (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version,
  launch: (setting) => {
    const file = join(setting.directory, 'anabranch.yaml');
    writeFileSync(file, configuration(setting));
    return new Program(process.execPath, [entryPoint, 'run', file], { cwd: setting.directory });
  },
};

function configuration({ entry, transport, port, serverPort }: Setting): string {
  const inside = transport === 'mptcp-client' ? 'mptcp' : 'tcp';
  const outside = transport === 'mptcp-server' ? 'mptcp' : 'tcp';
  const target = entry === 'forward' ? `, target: "127.0.0.1:${serverPort}"` : '';
  return `workers: 1
log: off
limits: { connections: 20000, connectionsPerSource: 20000 }
inbounds:
  - { type: ${entry}, listen: "127.0.0.1:${port}", transport: ${inside}${target} }
outbounds:
  - { name: direct, type: direct, transport: ${outside} }
`;
}
