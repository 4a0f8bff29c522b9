// HAProxy in TCP mode: one thread, splice forced both ways, pipes of 1 MiB.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from '../host/program.ts';
import type { Peer, Setting } from './peer.ts';
import { versionOf } from './version.ts';

export const haproxy: Peer = {
  name: 'haproxy',
  about: 'nbthread 1, splice forced both ways, 1 MiB pipes',
  entries: ['forward'],
  mptcp: true,
  version: () => versionOf('haproxy', ['-v']),
  launch: (setting) => {
    const file = join(setting.directory, 'haproxy.cfg');
    writeFileSync(file, configuration(setting));
    const mptcp = setting.transport !== 'tcp';
    return new Program('haproxy', ['-db', '-f', file], { cwd: setting.directory, mptcp });
  },
};

/** `maxconn` keeps sockets and pipes within 20,000 descriptors. */
function configuration({ port, serverPort }: Setting): string {
  return `global
  nbthread 1
  maxconn 7000
  maxpipes 1000
  tune.pipesize 1048576
defaults
  mode tcp
  option splice-request
  option splice-response
  timeout connect 10s
  timeout client 1h
  timeout server 1h
frontend in
  bind 127.0.0.1:${port}
  default_backend out
backend out
  server one 127.0.0.1:${serverPort}
`;
}
