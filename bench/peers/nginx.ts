// nginx's stream module: one worker process.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Program } from '../host/program.ts';
import type { Peer, Setting } from './peer.ts';
import { versionOf } from './version.ts';

/** Where Debian keeps the module; elsewhere it is compiled in. */
const MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';

export const nginx: Peer = {
  name: 'nginx',
  about: 'stream module, one worker process, default buffers',
  entries: ['forward'],
  mptcp: true,
  version: () => versionOf('nginx', ['-v']),
  launch: (setting) => {
    const { directory } = setting;
    const file = join(directory, 'nginx.conf');
    writeFileSync(file, configuration(setting));
    const args = ['-p', directory, '-e', join(directory, 'error.log'), '-c', file];
    return new Program('nginx', args, { cwd: directory, mptcp: setting.transport !== 'tcp' });
  },
};

function configuration({ port, serverPort, directory }: Setting): string {
  return `${existsSync(MODULE) ? `load_module ${MODULE};` : ''}
daemon off;
pid ${directory}/nginx.pid;
worker_processes 1;
worker_rlimit_nofile 20000;
events { worker_connections 18000; }
stream {
  access_log off;
  proxy_timeout 1h;
  server {
    listen 127.0.0.1:${port};
    proxy_pass 127.0.0.1:${serverPort};
  }
}
`;
}
