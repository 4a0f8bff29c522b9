// Dante: SOCKS 5 by a family of processes.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from '../host/program.ts';
import type { Peer, Setting } from './peer.ts';
import { versionOf } from './version.ts';

export const dante: Peer = {
  name: 'dante',
  about: 'no log, no authentication; processes as it sees fit',
  entries: ['socks'],
  mptcp: true,
  version: () => versionOf('danted', ['-v']),
  launch: (setting) => {
    const file = join(setting.directory, 'danted.conf');
    writeFileSync(file, configuration(setting));
    return new Program('danted', ['-f', file, '-p', join(setting.directory, 'danted.pid')], {
      cwd: setting.directory,
      mptcp: setting.transport !== 'tcp',
    });
  },
};

function configuration({ port }: Setting): string {
  return `errorlog: stderr
internal: 127.0.0.1 port = ${port}
external: lo
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
socks pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }
`;
}
