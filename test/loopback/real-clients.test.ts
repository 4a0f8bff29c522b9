// Programs that people use, through the proxy, to servers on loopback.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

import type { FlowRecord } from '#anabranch/proxy/flow-record.js';
import { hashPassword } from '#anabranch/proxy/passwords.js';

import { requireCommands, requireMptcp } from '../requirements.ts';
import { type ClientResult, runClient } from './client-program.ts';
import { startProxy, type TestProxy } from './support/proxy.ts';
import { until } from './support/wait.ts';
import { openWebServer, type WebServer } from './web-server.ts';

interface Scene {
  readonly web: WebServer;
  readonly proxy: TestProxy;
  /** Runs curl quietly; its body is stdout. */
  curl(...args: string[]): Promise<ClientResult>;
  /** Address of an inbound: `plain`, `six` (on ::1), `locked` (needs alice and her password). */
  at(inbound: string): string;
  /** Records of flows to the web server since the last call, once there are `count` and no connection is left. */
  records(count: number): Promise<FlowRecord[]>;
}

async function openScene(t: TestContext): Promise<Scene> {
  const web = await openWebServer(t);
  const users = [{ name: 'alice', password: await hashPassword('open-sesame') }];
  const proxy = await startProxy(t, {
    workers: 2,
    inbounds: [
      { name: 'plain', type: 'mixed', listen: '127.0.0.1:0' },
      { name: 'six', type: 'mixed', listen: '[::1]:0' },
      { name: 'locked', type: 'mixed', listen: '127.0.0.1:0', users },
    ],
  });
  const isOurs = ({ asked, end }: FlowRecord) =>
    (asked?.port === web.port || asked?.port === web.tlsPort) && end !== 'handed-over';
  let used = 0;
  return {
    web,
    proxy,
    curl: (...args) => runClient(['curl', '-sS', '--max-time', '20', ...args]),
    at: (inbound) => `${inbound === 'six' ? '[::1]' : '127.0.0.1'}:${proxy.port(inbound)}`,
    async records(count) {
      const fresh = () => proxy.records.slice(used).filter(isOurs);
      await proxy.idle();
      await until(
        () => fresh().length >= count,
        () => `${count} records; there are ${JSON.stringify(fresh())}`,
      );
      const found = fresh();
      used = proxy.records.length;
      assert.equal(found.length, count);
      return found;
    },
  };
}

/**
 * TLS clients close as soon as they have what they want, and answer the server's last alert with a reset: over TLS that is
 * a good end as well.
 */
function endedWell({ end, asked }: FlowRecord, { tlsPort }: WebServer): boolean {
  return end === 'done' || (end === 'client-reset' && asked?.port === tlsPort);
}

function succeeded({ status, stderr }: ClientResult): void {
  assert.equal(status, 0, stderr);
}

test('curl', { skip: requireCommands('curl', 'git', 'openssl') }, async (t) => {
  const scene = await openScene(t);
  const { web, curl, at, records } = scene;
  const pages = [
    ['HTTP', `http://127.0.0.1:${web.port}/hello`, '127.0.0.1'],
    ['HTTPS', `https://localhost:${web.tlsPort}/hello`, 'localhost'],
  ] as const;
  const trust = ['--cacert', web.certificate];

  // Those that resolve the name themselves ask for the address.
  for (const [option, asksForName] of [
    ['--socks4', false],
    ['--socks4a', true],
    ['--socks5', false],
    ['--socks5-hostname', true],
  ] as const) {
    for (const [kind, url, host] of pages) {
      await t.test(`${option}, ${kind}`, async () => {
        const result = await curl(...trust, '-4', option, at('plain'), url);
        succeeded(result);
        assert.equal(result.stdout, 'hello GET\n');
        const [record] = await records(1);
        assert.ok(record !== undefined && endedWell(record, web), record?.end);
        assert.equal(record.asked?.host, asksForName ? host : '127.0.0.1');
      });
    }
  }

  for (const [kind, url, host] of pages) {
    await t.test(`-x http://, ${kind}`, async () => {
      const result = await curl(...trust, '-x', `http://${at('plain')}`, url);
      succeeded(result);
      assert.equal(result.stdout, 'hello GET\n');
      const [record] = await records(1);
      assert.ok(record !== undefined && endedWell(record, web), record?.end);
      assert.equal(record.asked?.host, host);
    });
  }

  await t.test('--proxytunnel for plain HTTP', async () => {
    const result = await curl('-p', '-x', `http://${at('plain')}`, pages[0][1]);
    assert.equal(result.stdout, 'hello GET\n', result.stderr);
    await records(1);
  });

  for (const [option, scheme] of [
    ['--socks5', ''],
    ['--socks5-hostname', ''],
    ['-x', 'http://'],
  ] as const) {
    for (const inbound of ['plain', 'six']) {
      await t.test(`IPv6 server, ${option}, proxy on ${inbound === 'six' ? 'IPv6' : 'IPv4'}`, async () => {
        const url = `http://[::1]:${web.port}/file`;
        const result = await curl(option, scheme + at(inbound), '-o', join(web.folder, 'six'), url);
        succeeded(result);
        assert.ok(readFileSync(join(web.folder, 'six')).equals(readFileSync(web.file)));
        const [record] = await records(1);
        assert.deepEqual([record?.end, record?.reached?.address], ['done', '::1']);
      });
    }
  }

  await t.test('uploads of every kind', async () => {
    for (const proxy of [
      ['--socks5-hostname', at('plain')],
      ['-x', `http://${at('plain')}`],
    ]) {
      for (const upload of [
        ['-T', web.file],
        ['-T', web.file, '-H', 'Transfer-Encoding: chunked'],
        ['--data-binary', `@${web.file}`, '-H', 'Expect: 100-continue'],
      ]) {
        for (const url of [`http://localhost:${web.port}/up`, `https://localhost:${web.tlsPort}/up`]) {
          const result = await curl(...trust, ...proxy, ...upload, url);
          assert.equal(result.stdout, web.sha256, `${proxy[0]} ${upload.join(' ')} ${url}: ${result.stderr}`);
        }
      }
    }
    for (const record of await records(12)) {
      assert.ok(endedWell(record, web), record.end);
      assert.ok(record.bytesUp > 3_000_000);
    }
  });

  await t.test('several URLs over one connection', async () => {
    for (const proxy of [
      ['--socks5-hostname', at('plain')],
      ['-x', `http://${at('plain')}`],
    ]) {
      for (const base of [`http://localhost:${web.port}`, `https://localhost:${web.tlsPort}`]) {
        web.forget();
        const urls = [1, 2, 3, 4].map((i) => `${base}/hello${i}`);
        const result = await curl(...trust, ...proxy, ...urls);
        assert.equal(result.stdout, 'hello GET\n'.repeat(4), result.stderr);
        assert.deepEqual(
          web.seen,
          [1, 2, 3, 4].map((i) => ({ request: `GET /hello${i}`, connection: 1 })),
        );
        await records(1);
      }
    }
  });

  await t.test('the right password opens, a wrong one or none does not', async () => {
    const [[, plain], [, secure]] = pages;
    for (const { way, url, denied } of [
      { way: ['--socks5-hostname', at('locked')], url: plain, denied: [97, ''] },
      { way: ['-x', `http://${at('locked')}`], url: secure, denied: [56, '000 407'] },
      { way: ['-x', `http://${at('locked')}`], url: plain, denied: [0, '407 407'] },
    ] as const) {
      const opened = await curl(...trust, ...way, '--proxy-user', 'alice:open-sesame', url);
      assert.equal(opened.stdout, 'hello GET\n', opened.stderr);
      const [record] = await records(1);
      assert.ok(record !== undefined && endedWell(record, web), record?.end);
      assert.equal(record.user, 'alice');
      for (const credentials of [['--proxy-user', 'alice:open-says-me'], ['--proxy-user', 'bob:open-sesame'], []]) {
        const status = ['-o', '/dev/null', '-w', '%{http_code} %{http_connect}'];
        const result = await curl(...trust, ...status, ...way, ...credentials, url);
        const said = way[0] === '-x' ? result.stdout : '';
        const expected = denied[1] === '407 407' ? '407 000' : denied[1];
        assert.deepEqual([result.status, said], [denied[0], expected], result.stderr);
      }
    }
  });

  await t.test('refused, unknown and forbidden, each in its own words', async () => {
    const gone = 'http://127.0.0.1:9/';
    const nameless = 'http://no-such-name.invalid/';
    const via = (...args: string[]) => curl('-o', '/dev/null', '-w', '%{http_code}', ...args);
    assert.equal((await via('-x', `http://${at('plain')}`, gone)).stdout, '502');
    assert.match((await via('--socks5', at('plain'), gone)).stderr, /\(5\)/);
    const unknown = await via('-x', `http://${at('plain')}`, nameless);
    assert.ok(['502', '504'].includes(unknown.stdout), unknown.stdout);
    assert.match((await via('--socks5-hostname', at('plain'), nameless)).stderr, /\([14]\)/);
  });

  await t.test('a change of protocol, to what only the two ends know', async () => {
    web.forget();
    const upgrade = ['-H', 'Connection: Upgrade', '-H', 'Upgrade: echo', '--max-time', '1', '-i', '-N'];
    for (const way of [
      ['-x', `http://${at('plain')}`],
      ['--socks5', at('plain')],
    ]) {
      const { stdout } = await curl(...upgrade, ...way, `http://127.0.0.1:${web.port}/echo`);
      assert.match(stdout, /^HTTP\/1\.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n/i);
    }
    assert.deepEqual(
      web.seen.map(({ request }) => request),
      ['UPGRADE /echo', 'UPGRADE /echo'],
    );
  });
});

test('curl under mptcpize', {
  skip: requireCommands('curl', 'mptcpize', 'git', 'openssl') || requireMptcp(),
}, async (t) => {
  const { web, at, records } = await openScene(t);
  const into = join(web.folder, 'got');
  for (const way of [`socks5h://${at('plain')}`, `socks4a://${at('plain')}`, `http://${at('six')}`]) {
    const url = `https://localhost:${web.tlsPort}/file`;
    const curl = ['curl', '-sS', '--cacert', web.certificate, '-x', way, '-o', into, url];
    succeeded(await runClient(['mptcpize', 'run', ...curl]));
    assert.ok(readFileSync(into).equals(readFileSync(web.file)), way);
    const [record] = await records(1);
    const told = JSON.stringify(record);
    assert.equal(record?.clientSide?.mptcp, 'mptcp', told);
    const [subflow] = record.clientSide.subflows;
    // The figures of a client that ends with a reset are those of the last look at them, up to a second ago.
    const isComplete = (subflow?.bytesSent ?? 0) >= record.bytesDown * 0.9;
    assert.ok(subflow !== undefined && (isComplete || record.end === 'client-reset'), told);
  }
  // The same without mptcpize, to know that it is not said of everybody.
  succeeded(await runClient(['curl', '-sS', '-x', `socks5h://${at('plain')}`, `http://127.0.0.1:${web.port}/hello`]));
  const [record] = await records(1);
  assert.equal(record?.clientSide?.mptcp, 'client-without-mptcp');
});

test('proxychains', { skip: requireCommands('curl', 'proxychains4', 'git', 'openssl') }, async (t) => {
  const { web, at, records } = await openScene(t);
  const file = join(web.folder, 'proxychains.conf');
  for (const [kind, inbound, credentials] of [
    ['socks4', 'plain', ''],
    ['socks5', 'plain', ''],
    ['http', 'plain', ''],
    ['socks5', 'locked', ' alice open-sesame'],
  ] as const) {
    writeFileSync(file, `strict_chain\n[ProxyList]\n${kind} ${at(inbound).replace(':', ' ')}${credentials}\n`);
    const url = `http://127.0.0.1:${web.port}/hello`;
    const result = await runClient(['proxychains4', '-q', '-f', file, 'curl', '-sS', '--max-time', '20', url]);
    assert.equal(result.stdout, 'hello GET\n', `${kind}: ${result.stderr}`);
    const [record] = await records(1);
    assert.deepEqual([record?.end, record?.user], ['done', inbound === 'locked' ? 'alice' : undefined]);
  }
});

test('wget', { skip: requireCommands('wget', 'git', 'openssl') }, async (t) => {
  const { web, at, records } = await openScene(t);
  const into = join(web.folder, 'got');
  const user = ['--proxy-user=alice', '--proxy-password=open-sesame'];
  for (const [inbound, credentials, url] of [
    ['plain', [], `http://localhost:${web.port}/file`],
    ['plain', [], `https://localhost:${web.tlsPort}/file`],
    ['locked', user, `http://localhost:${web.port}/file`],
    ['locked', user, `https://localhost:${web.tlsPort}/file`],
  ] as const) {
    const proxy = `http://${at(inbound)}/`;
    const env = { http_proxy: proxy, https_proxy: proxy };
    const wget = ['wget', '-nv', '--tries=1', `--ca-certificate=${web.certificate}`, ...credentials, '-O', into, url];
    succeeded(await runClient(wget as [string, ...string[]], { env }));
    assert.ok(readFileSync(into).equals(readFileSync(web.file)), url);
    const [record] = await records(1);
    assert.ok(record !== undefined && endedWell(record, web) && record.bytesDown > 3_000_000, record?.end);
    assert.equal(record.user, credentials.length > 0 ? 'alice' : undefined);
  }
});

test('git over HTTPS', { skip: requireCommands('git', 'openssl') }, async (t) => {
  const { web, at, proxy } = await openScene(t);
  const expected = readFileSync(join(web.folder, 'work/data'), 'utf8');
  for (const [i, way] of [`socks5h://${at('plain')}`, `http://${at('plain')}`, `socks5://${at('six')}`].entries()) {
    const into = join(web.folder, `clone-${i}`);
    const options = ['-c', `http.proxy=${way}`, '-c', `http.sslCAInfo=${web.certificate}`];
    const url = `https://localhost:${web.tlsPort}/git/repository.git`;
    const env = { HOME: web.folder, GIT_TERMINAL_PROMPT: '0' };
    succeeded(await runClient(['git', ...options, 'clone', '-q', url, into], { env }));
    // What the clone before has pushed is there.
    assert.equal(readFileSync(join(into, 'data'), 'utf8'), i === 0 ? expected : `${expected}${i - 1}`, way);
    const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.org'];
    writeFileSync(join(into, 'data'), `${expected}${i}`);
    succeeded(await runClient(['git', '-C', into, ...author, 'commit', '-q', '-a', '-m', `change ${i}`], { env }));
    succeeded(await runClient(['git', '-C', into, ...options, 'push', '-q'], { env }));
  }
  await proxy.idle();
  const records = proxy.records.filter(({ asked }) => asked?.port === web.tlsPort);
  assert.ok(records.length >= 3 && records.every((record) => endedWell(record, web)));
});

test('Chromium', { skip: requireCommands('chromium', 'git', 'openssl'), timeout: 180_000 }, async (t) => {
  const { web, at, proxy } = await openScene(t);
  for (const [i, [way, host, secure]] of (
    [
      [`socks5://${at('plain')}`, 'localhost', false],
      [`http://${at('plain')}`, '127.0.0.1', false],
      [`http://${at('plain')}`, 'localhost', true],
    ] as const
  ).entries()) {
    web.forget();
    const port = secure ? web.tlsPort : web.port;
    const url = `${secure ? 'https' : 'http'}://${host}:${port}/page`;
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'];
    const quiet = ['--disable-background-networking', '--disable-component-update', '--ignore-certificate-errors'];
    const result = await runClient([
      'chromium',
      ...flags,
      ...quiet,
      `--user-data-dir=${join(web.folder, `profile-${i}`)}`,
      `--proxy-server=${way}`,
      // Without it Chromium goes to loopback by itself.
      '--proxy-bypass-list=<-loopback>',
      '--dump-dom',
      url,
    ]);
    assert.match(result.stdout, /<p id="said">said by the script<\/p>/, `${way}: ${result.stderr}`);
    const paths = web.seen.map(({ request }) => request);
    for (const path of ['/page', '/style.css', '/script.js']) assert.ok(paths.includes(`GET ${path}`), paths.join());
    await until(() => proxy.records.some(({ asked }) => asked?.host === host && asked.port === port));
  }
});
