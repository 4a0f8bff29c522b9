// The network of a lab, seen by programs that use it: addresses, routes, both families, live changes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';

import type { Host } from '#anabranch/lab/host.js';
import { createLab, type Lab } from '#anabranch/lab/lab.js';
import type { TimelineStep } from '#anabranch/lab/timeline.js';

import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';

const skip = requireCommands('ip', 'nsenter') || requireNamespaces();

/** A server that answers each connection with the address it sees, and ends after `count` of them. */
async function serve(host: Host, count: number): Promise<void> {
  const script = `let left = ${count}; const server = require('net').createServer((socket) => {
    socket.end(socket.remoteAddress.replace(/^::ffff:/, '')); if (--left === 0) server.close();
  }).listen(7000, '::', () => console.log('ready'))`;
  const { child, exited } = host.spawn([process.execPath, '-e', script], { timeoutMs: 20_000 });
  await Promise.race([once(child.stdout, 'data'), exited]);
}

/** Connects from each local address and returns what the server saw, or the error's code. */
async function seenFrom(host: Host, to: string, locals: readonly (string | undefined)[]): Promise<string[]> {
  const script = `(async () => { for (const localAddress of ${JSON.stringify(locals.map((local) => local ?? null))}) {
    await new Promise((resolve) => {
      const socket = require('net').connect({ host: ${JSON.stringify(to)}, port: 7000, ...(localAddress ? { localAddress } : {}) });
      socket.setTimeout(2000, () => socket.destroy(Object.assign(new Error(), { code: 'TIMEOUT' })));
      socket.on('data', (seen) => console.log(String(seen)));
      socket.on('error', (error) => console.log(error.code));
      socket.on('close', resolve);
    }); } })()`;
  const { stdout } = await host.exec([process.execPath, '-e', script], { timeoutMs: 20_000 });
  return stdout.trim().split('\n');
}

/** Frames that a link has carried since the last call. */
function meter(lab: Lab): (link: string) => number {
  const before = new Map<string, number>();
  return (link) => {
    const frames = lab.link(link).counters('up').framesOut + lab.link(link).counters('down').framesOut;
    const carried = frames - (before.get(link) ?? 0);
    before.set(link, frames);
    return carried;
  };
}

describe('the network of a lab', { skip, timeout: 240_000 }, () => {
  let lab: Lab;
  before(async () => {
    lab = await createLab({
      hosts: { client: {}, near: { forward: true }, far: { forward: true }, server: { mptcp: false } },
      links: {
        wifi: { between: ['client', 'near'] },
        cellular: { between: ['client', 'near'] },
        core: { between: ['near', 'far'] },
        backbone: { between: ['far', 'server'] },
      },
    });
  });
  after(() => lab?.close());

  for (const family of [4, 6] as const) {
    test(`IPv${family}: what leaves from an address leaves by its link, over two routers and back`, async () => {
      const client = lab.host('client');
      const [wifi, cellular] = [client.address('wifi', family), client.address('cellular', family)];
      await serve(lab.host('server'), 3);
      const carried = meter(lab);
      for (const link of ['wifi', 'cellular']) carried(link);
      const to = lab.host('server').address('backbone', family);
      assert.deepEqual(await seenFrom(client, to, [wifi, wifi]), [wifi, wifi]);
      const [overWifi, overCellular] = [carried('wifi'), carried('cellular')];
      assert.ok(overWifi >= 10 && overCellular < 5, `${overWifi} over Wi-Fi, ${overCellular} over cellular`);
      assert.deepEqual(await seenFrom(client, to, [cellular]), [cellular]);
      assert.ok(carried('cellular') >= 5 && carried('wifi') < 5);
    });
  }

  test('the first link is preferred; when its interface goes down, the other is used, and then the first again', async () => {
    const client = lab.host('client');
    const [wifi, cellular] = [client.address('wifi'), client.address('cellular')];
    const to = lab.host('server').address();
    await serve(lab.host('server'), 3);
    assert.deepEqual(await seenFrom(client, to, [undefined]), [wifi]);
    await lab.link('wifi').down({ how: 'admin' });
    assert.deepEqual(await seenFrom(client, to, [undefined]), [cellular]);
    await lab.link('wifi').up();
    assert.deepEqual(await seenFrom(client, to, [undefined]), [wifi]);
  });

  test('an address changes as by DHCP: the old one is gone, routes, rules and endpoint follow', {
    skip: requireMptcp(),
  }, async () => {
    const client = lab.host('client');
    const old = client.address('wifi');
    const [old6, next6] = [client.address('wifi', 6), 'fd00:0:0:1::77'];
    await client.changeAddress('wifi', '10.0.1.77/24');
    await client.changeAddress('wifi', `${next6}/64`);
    assert.deepEqual([client.address('wifi'), client.address('wifi', 6)], ['10.0.1.77', next6]);
    assert.deepEqual(client.addresses.includes(old), false);
    await serve(lab.host('server'), 2);
    const to = lab.host('server').address();
    assert.deepEqual(await seenFrom(client, to, ['10.0.1.77', old, undefined]), [
      '10.0.1.77',
      'EADDRNOTAVAIL',
      '10.0.1.77',
    ]);
    const endpoints = (await client.exec(['ip', 'mptcp', 'endpoint', 'show'])).stdout;
    assert.ok(endpoints.includes('10.0.1.77 ') && endpoints.includes(`${next6} `), endpoints);
    assert.ok(!endpoints.includes(`${old} `) && !endpoints.includes(`${old6} `), endpoints);
    const rules = (await client.exec(['ip', 'rule', 'show'])).stdout;
    assert.ok(rules.includes('from 10.0.1.77 lookup 101') && !rules.includes(`from ${old} `), rules);
    await assert.rejects(client.changeAddress('wifi', '192.0.2.1/24'), { code: 'LAB_TOPOLOGY' });
    await assert.rejects(client.changeAddress('wifi', '10.0.1.77'), { code: 'LAB_TOPOLOGY' });
    await assert.rejects(client.changeAddress('core', '10.0.3.9/24'), { code: 'LAB_UNKNOWN_NAME' });
    await client.changeAddress('wifi', `${old}/24`);
    await client.changeAddress('wifi', `${old6}/64`);
  });

  test('a program that dies is told of, and the lab goes on', async () => {
    const dying = lab.host('server').spawn(['sh', '-c', 'echo late words >&2; kill -9 $$']);
    const { signal, stderr } = await dying.exited;
    assert.deepEqual([signal, stderr], ['SIGKILL', 'late words\n']);
    await assert.rejects(lab.host('server').exec(['sh', '-c', 'echo why >&2; exit 3']), {
      code: 'LAB_COMMAND',
      message: 'on server, sh -c echo why >&2; exit 3 ended with status 3: why',
    });
    await assert.rejects(lab.host('server').exec(['no-such-program']), { code: 'LAB_COMMAND' });
    const slow = await lab.host('server').exec(['sleep', '60'], { timeoutMs: 100, check: false });
    assert.equal(slow.signal, 'SIGTERM');
    assert.equal((await lab.host('client').exec(['echo', 'still here'])).stdout, 'still here\n');
  });
});

describe('a lab over time', { skip, timeout: 240_000 }, () => {
  test('its timeline is played: cuts, changes and a new address', async () => {
    const lab = await createLab({
      hosts: { a: {}, b: {} },
      links: { wire: { between: ['a', 'b'], rate: '10mbit' } },
      timeline: [
        { at: '450ms', address: { host: 'a', link: 'wire', to: '10.0.1.9/24' } },
        { at: 0, set: 'wire', to: { down: { rate: '1mbit' }, loss: '3%' } },
        { at: '100ms', down: 'wire', how: 'carrier' },
        { at: '300ms', up: 'wire' },
      ],
    });
    try {
      const steps: TimelineStep[] = [];
      const carrier: string[] = [];
      const state = async (): Promise<string> =>
        (await lab.host('a').exec(['ip', '-brief', 'link', 'show', 'dev', 'wire'])).stdout;
      await lab.play(undefined, {
        onStep(step) {
          steps.push(step);
          if (step.entry.action.kind === 'down') void state().then((text) => carrier.push(text));
        },
      });
      assert.deepEqual(
        steps.map(({ entry }) => entry.action.kind),
        ['set', 'down', 'up', 'address'],
      );
      for (const { entry, startedMs } of steps) assert.ok(startedMs >= entry.atMs - 1, `${startedMs}`);
      assert.match(carrier[0] ?? '', /LOWERLAYERDOWN|DOWN|NO-CARRIER/);
      assert.match(await state(), / UP /);
      const { up, down } = { up: lab.link('wire').settings('up'), down: lab.link('wire').settings('down') };
      assert.deepEqual([up.rate, down.rate], [10e6, 1e6]);
      assert.deepEqual([up.loss, down.loss], Array(2).fill({ kind: 'random', probability: 0.03 }));
      assert.equal(lab.host('a').address(), '10.0.1.9');
    } finally {
      await lab.close();
    }
  });

  test('a capacity trace can be laid over a link, and taken away', async () => {
    const lab = await createLab({ hosts: { a: {}, b: {} }, links: { wire: { between: ['a', 'b'], queue: '100ms' } } });
    try {
      const link = lab.link('wire');
      const flood = `const socket = require('dgram').createSocket('udp4'); const frame = Buffer.alloc(1472);
        const end = Date.now() + 1500; (function tick() { for (let i = 0; i < 8; i++) socket.send(frame, 9, '${lab.host('b').address()}');
        if (Date.now() < end) setTimeout(tick, 4); else socket.close(); })()`;
      /** Mbit/s that arrive of 24 sent. */
      const measure = async (): Promise<number> => {
        const running = lab.host('a').exec([process.execPath, '-e', flood]);
        await new Promise((resolve) => setTimeout(resolve, 500));
        const [before, since] = [link.counters('up').bytesOut, performance.now()];
        await new Promise((resolve) => setTimeout(resolve, 800));
        const rate = ((link.counters('up').bytesOut - before) * 8e-3) / (performance.now() - since);
        await running;
        return rate;
      };
      // One full frame in 4 ms, and two in 8 ms: 3.03 Mbit/s.
      await link.set({ trace: [4, 12, 12] });
      const mean = (3 * 1_514 * 8) / 12e3;
      const limited = await measure();
      assert.ok(Math.abs(limited / mean - 1) < 0.05, `${limited.toFixed(2)} Mbit/s of ${mean.toFixed(2)}`);
      await link.set({ trace: null });
      const free = await measure();
      assert.ok(free > 10, `${free.toFixed(2)} Mbit/s without it`);
    } finally {
      await lab.close();
    }
  });
});
