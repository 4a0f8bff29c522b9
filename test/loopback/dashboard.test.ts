// The dashboard's server: who gets in, and what it answers.

import assert from 'node:assert/strict';
import { type RequestOptions, request } from 'node:http';
import { describe, test } from 'node:test';
import { openScene } from '../browser/scene.ts';

const TOKEN = 'a-token-hard-to-guess';

async function ask(url: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(new URL(path, url), { headers, redirect: 'manual' });
}

/** As node:http sends it, without the checks of fetch. */
function statusOf(url: string, options: RequestOptions): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, options, (response) => resolve(response.resume().statusCode))
      .on('error', reject)
      .end();
  });
}

describe('the dashboard', () => {
  test('serves its page, metrics and health, and nothing else', async (t) => {
    const { dashboard } = await openScene(t);
    const page = await ask(dashboard.url, '/');
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    assert.equal((await ask(dashboard.url, '/app.js')).status, 200);
    for (const path of ['/../package.json', '/web/app.js', '/nothing']) {
      assert.equal((await ask(dashboard.url, path)).status, 404, path);
    }
    assert.equal(await statusOf(dashboard.url, { path: '//nothing' }), 404);
    const metrics = await (await ask(dashboard.url, '/metrics')).text();
    assert.match(metrics, /^anabranch_flow_bytes_total\{direction="down"\} 2000000$/m);
    assert.match(metrics, /^anabranch_flow_ends_total\{reason="done"\} 5$/m);
    assert.match(metrics, /^anabranch_path_bytes_total\{path="wlan0",direction="in"\} 0$/m);
    assert.equal(((await (await ask(dashboard.url, '/health')).json()) as unknown[]).length, 2);
    assert.equal((await fetch(dashboard.url, { method: 'POST' })).status, 405);
  });

  test('a name that has come to mean this address does not get in', async (t) => {
    const { dashboard } = await openScene(t);
    const statusFor = (host: string) => statusOf(dashboard.url, { headers: { host } });
    for (const host of ['localhost', 'localhost:1088', '127.0.0.1:1', '[::1]:1088'])
      assert.equal(await statusFor(host), 200);
    for (const host of ['evil.example', '10.0.0.1:1088', 'localhost.evil.example'])
      assert.equal(await statusFor(host), 421);
  });

  test('with a token: not without it, by link, header or cookie', async (t) => {
    const { dashboard } = await openScene(t, TOKEN);
    assert.equal((await ask(dashboard.url, '/')).status, 401);
    assert.equal((await ask(dashboard.url, '/live?token=wrong')).status, 401);
    assert.equal((await ask(dashboard.url, '/metrics', { authorization: `Bearer ${TOKEN}` })).status, 200);
    const link = await ask(dashboard.url, `/?token=${TOKEN}`);
    assert.equal(link.status, 303);
    assert.equal(link.headers.get('location'), '/');
    const cookie = (link.headers.get('set-cookie') ?? '').split(';')[0] as string;
    assert.equal((await ask(dashboard.url, '/', { cookie })).status, 200);
  });
});
