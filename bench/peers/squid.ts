// Squid for HTTP CONNECT: one process, no cache, no log.

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from '../host/program.ts';
import type { Peer, Setting } from './peer.ts';
import { versionOf } from './version.ts';

export const squid: Peer = {
  name: 'squid',
  about: 'one process, no cache, no access log',
  entries: ['http'],
  mptcp: true,
  version: () => versionOf('squid', ['-v']),
  launch: (setting) => {
    const file = join(setting.directory, 'squid.conf');
    // It gives up root for an account of its own, and wants to write its files there.
    chmodSync(setting.directory, 0o777);
    writeFileSync(file, configuration(setting));
    return new Program('squid', ['-N', '-f', file], { cwd: setting.directory, mptcp: setting.transport !== 'tcp' });
  },
};

function configuration({ port, directory }: Setting): string {
  return `http_port 127.0.0.1:${port}
http_access allow all
cache deny all
cache_mem 0
access_log none
cache_log ${directory}/cache.log
cache_store_log none
pid_filename ${directory}/squid.pid
coredump_dir ${directory}
netdb_filename none
pinger_enable off
max_filedescriptors 20000
shutdown_lifetime 0 seconds
read_timeout 1 hour
client_lifetime 1 day
visible_hostname localhost
`;
}
