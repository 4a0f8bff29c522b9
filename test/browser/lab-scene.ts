// A dashboard with something to show: a client with two paths, whose anabranch keeps a log and goes through a gateway's to
// a server, all in namespaces. The browser runs in the client's.

import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLab, type Lab } from '#anabranch/lab/lab.js';
import { within } from '../loopback/support/wait.ts';
import { MAIN, said, twoPathTopology } from '../netns/two-path-lab.ts';

const ORIGIN = fileURLToPath(new URL('../netns/origin.js', import.meta.url));

export class LabScene {
  readonly lab: Lab;
  readonly url = 'http://127.0.0.1:1088/';
  /** Chromium inside the client's namespace. */
  readonly browser: string;
  readonly #folder: string;

  private constructor(lab: Lab) {
    this.lab = lab;
    this.#folder = mkdtempSync(join(tmpdir(), 'anabranch-dashboard-'));
    this.browser = join(this.#folder, 'chromium');
    const inside = `nsenter --net=${lab.host('client').namespacePath} -- /usr/bin/chromium`;
    writeFileSync(this.browser, `#!/bin/sh\nexec ${inside} "$@"\n`);
    chmodSync(this.browser, 0o755);
  }

  /** `fileBytes`: what each download gets. */
  static async start(fileBytes: number): Promise<LabScene> {
    const lab = await createLab(twoPathTopology('dashboard', { gateway: { forward: true } }));
    const scene = new LabScene(lab);
    try {
      await scene.#startPrograms(fileBytes);
    } catch (error) {
      await scene.close();
      throw error;
    }
    return scene;
  }

  /** Resolves when curl has the whole file; rejects when it has not. */
  async download(secondsMax = 120): Promise<void> {
    const server = `http://${this.lab.host('server').address('backbone')}:8080/`;
    const limits = ['--max-time', String(secondsMax)];
    await this.lab
      .host('client')
      .exec(['curl', '-sSf', ...limits, '-o', '/dev/null', '-x', 'socks5h://127.0.0.1:1080', server], {
        timeoutMs: (secondsMax + 10) * 1000,
      });
  }

  async close(): Promise<void> {
    await this.lab.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startPrograms(fileBytes: number): Promise<void> {
    const file = join(this.#folder, 'file');
    writeFileSync(file, '');
    truncateSync(file, fileBytes);
    const gateway = this.lab.host('gateway').address('core');
    const origin = this.lab.host('server').spawn([process.execPath, ORIGIN, file]);
    await Promise.all([
      within(once(origin.child.stdout, 'data'), 'the server listens'),
      this.#startProxy('gateway', {
        log: 'off',
        dashboard: 'off',
        inbounds: [{ type: 'socks', listen: `${gateway}:1080`, open: true }],
      }),
      this.#startProxy('client', {
        log: `embedded:${join(this.#folder, 'log')}`,
        dashboard: '127.0.0.1:1088',
        inbounds: [{ type: 'mixed', listen: '127.0.0.1:1080' }],
        outbounds: [{ name: 'gateway', type: 'socks', server: `${gateway}:1080`, transport: 'mptcp' }],
        rules: [{ use: 'gateway' }],
      }),
    ]);
  }

  async #startProxy(host: 'client' | 'gateway', config: object): Promise<void> {
    const path = join(this.#folder, `${host}.yaml`);
    const admin = join(this.#folder, `${host}.sock`);
    writeFileSync(path, JSON.stringify({ workers: 1, admin, ...config }));
    const program = this.lab.host(host).spawn([process.execPath, MAIN, 'run', path]);
    await said(program, '"code":"listening"');
  }
}
