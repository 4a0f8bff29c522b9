// The dashboard in a real browser.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { requireCommands } from '../requirements.ts';
import { openPage } from './page.ts';
import { flowOf, openScene, pastFlowOf, pastOf, pathOf } from './scene.ts';
import { seriousViolations } from './violations.ts';

describe('the dashboard', { skip: requireCommands('chromium') }, () => {
  test('figures move, a card turns when its path is cut, events tell of it', async (t) => {
    const scene = await openScene(t);
    scene.flows = [flowOf(1), flowOf(2)];
    const { page, faults } = await openPage(t, scene.dashboard.url);
    const card = page.locator('[data-path="wlan0"]');
    await card.getByText('up').waitFor();
    assert.equal(
      await page
        .locator('.pulse')
        .innerText()
        .then((text) => text.trim()),
      'Live',
    );
    scene.paths = [pathOf('wlan0', { bytesIn: 2_500_000 }), scene.paths[1] as (typeof scene.paths)[1]];
    await card.getByText(/Mbit\/s/).waitFor();
    scene.paths = [
      pathOf('wlan0', { bytesIn: 2_500_000, state: 'no-carrier' }),
      scene.paths[1] as (typeof scene.paths)[1],
    ];
    await card.getByText('no link').waitFor();
    await page.locator('.events').getByText('wlan0 has lost its link').waitFor();
    // The subflows of the live flows are counted where they leave.
    assert.match(await page.locator('[data-path="wwan0"]').innerText(), /RTT\s+90\.0 ms/);
    assert.deepEqual(faults, []);
  });

  test('flows are searched, sorted and opened, also by keyboard', async (t) => {
    const scene = await openScene(t);
    scene.flows = [1, 2, 3].map((number) => flowOf(number));
    const { page, faults } = await openPage(t, scene.dashboard.url);
    const rows = page.locator('tr[data-flow]');
    await rows.nth(2).waitFor();
    await page.getByRole('button', { name: 'Down', exact: true }).click();
    assert.match(await rows.first().innerText(), /host3/);
    await page.getByRole('button', { name: /^Down/ }).click();
    assert.match(await rows.first().innerText(), /host1/);
    await page.getByLabel('Search connections').fill('host2 mixed');
    await rows.nth(1).waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'host2.example:443' }).focus();
    await page.keyboard.press('Enter');
    const drawer = page.getByRole('complementary');
    await drawer.getByText('75 %').waitFor();
    assert.match(await drawer.innerText(), /192\.0\.2\.1:4000[\s\S]*RTT 20\.0 ms[\s\S]*203\.0\.113\.1:4001[\s\S]*25 %/);
    scene.flows = [];
    await drawer.getByText('has ended').waitFor();
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'detached' });
    assert.deepEqual(faults, []);
  });

  test('5,000 flows: only the rows in view exist, and scrolling keeps up', async (t) => {
    const scene = await openScene(t);
    scene.flows = Array.from({ length: 5_000 }, (_, number) => flowOf(number));
    const { page, faults } = await openPage(t, scene.dashboard.url);
    await page.locator('.count').getByText('5000').waitFor();
    assert.ok((await page.locator('tr[data-flow]').count()) < 60);
    await page.locator('.scroller').evaluate((element: { scrollTop: number; scrollHeight: number }) => {
      element.scrollTop = element.scrollHeight;
    });
    await page.getByRole('button', { name: /host999\.example/ }).waitFor();
    // The longest task of five seconds of updates: beyond 200 ms a page is felt to hang.
    const longest = await page.evaluate(`new Promise((resolve) => {
      let longest = 0;
      new PerformanceObserver((list) => { for (const task of list.getEntries()) longest = Math.max(longest, task.duration); })
        .observe({ entryTypes: ['longtask'] });
      setTimeout(() => resolve(longest), 5000);
    })`);
    t.diagnostic(`longest task with 5,000 flows: ${Math.round(Number(longest))} ms`);
    assert.deepEqual(faults, []);
  });

  test('hostile names are text', async (t) => {
    const scene = await openScene(t);
    const hostile = '<img src=x onerror=window.hit=1>"\'><script>window.hit=1</script>\u001b[2J';
    scene.flows = [flowOf(1, { destination: hostile, user: hostile, client: hostile })];
    scene.paths = [pathOf('wlan0', { addresses: [hostile] })];
    const { page, faults } = await openPage(t, scene.dashboard.url);
    await page.getByRole('button', { name: /img src/ }).click();
    await page.getByRole('complementary').waitFor();
    assert.equal(await page.evaluate('window.hit'), undefined);
    assert.equal(await page.locator('main img').count(), 0);
    assert.deepEqual(faults, []);
  });

  test('past flows are paged through and searched; each has its time line, the log its pictures', async (t) => {
    const hostile = '"><img src=x onerror=document.title="owned">.example:80';
    const flows = [1, 2, 3].map((number) => pastFlowOf(number));
    const scene = await openScene(
      t,
      undefined,
      pastOf([...flows, pastFlowOf(4, { destination: hostile, end: 'server-reset' })]),
    );
    const { page, faults } = await openPage(t, scene.dashboard.url);
    const rows = page.locator('tr[data-past]');
    await rows.nth(1).waitFor();
    assert.equal(await rows.count(), 2);
    await page.getByRole('button', { name: 'Older ones' }).click();
    await rows.nth(3).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Older ones' }).count(), 0);
    assert.ok((await rows.nth(3).innerText()).includes(hostile));
    await rows.nth(3).getByRole('button').click();
    await page.getByAltText('flow past-0-4. About flow past-0-4.').waitFor();
    await page.getByLabel('Search past connections').fill('old2');
    await rows.nth(1).waitFor({ state: 'detached' });
    assert.match(await rows.first().innerText(), /old2\.example:443/);
    await page.getByRole('button', { name: 'All there is' }).click();
    await page.getByAltText(/^the whole log/).waitFor();
    assert.equal(await page.title(), 'Anabranch');
    assert.deepEqual(await seriousViolations(page), []);
    assert.deepEqual(faults, []);
  });

  test('without a log, the page says how to get one', async (t) => {
    const scene = await openScene(t);
    const { page, faults } = await openPage(t, scene.dashboard.url);
    await page.getByText('Start anabranch with --log embedded').waitFor();
    assert.deepEqual(faults, []);
  });

  test('a path as its owner knows it: name, cost, budget, silence', async (t) => {
    const scene = await openScene(t);
    const budget = { used: 4_900_000_000, monthly: 5_000_000_000, until: '2026-12-01', spent: 'backup' as const };
    const known = {
      path: 'lte',
      kind: 'cellular',
      cost: 'metered' as const,
      priority: 10,
      backup: true,
      trouble: 'silent',
    };
    scene.paths = [pathOf('wwan0', { kind: 'cellular', known: { ...known, budget } })];
    const { page, faults } = await openPage(t, scene.dashboard.url);
    const card = page.locator('[data-path="wwan0"]');
    await card.getByRole('heading', { name: 'lte' }).waitFor();
    const text = await card.innerText();
    assert.match(text, /Cellular · wwan0 · metered · backup/);
    assert.match(text, /4\.9 GB of 5\.0 GB until 2026-12-01, nearly used up: backup only/);
    assert.match(text, /silent/);
    assert.deepEqual(faults, []);
  });

  test('a lost proxy is told, and its return catches up', async (t) => {
    const scene = await openScene(t);
    const { page } = await openPage(t, scene.dashboard.url);
    await page.locator('[data-path="wlan0"]').waitFor();
    scene.dashboard.close();
    await page.getByRole('alert').waitFor();
    scene.flows = [flowOf(7)];
    await scene.reopen();
    await page.getByRole('button', { name: 'host7.example:443' }).waitFor({ timeout: 20_000 });
    await page.getByRole('alert').waitFor({ state: 'detached' });
  });

  test('no serious finding of accessibility, in light and dark and on a phone', async (t) => {
    const scene = await openScene(t);
    scene.flows = [1, 2, 3].map((number) => flowOf(number));
    scene.paths = [...scene.paths, pathOf('eth0', { kind: 'ethernet', state: 'down' })];
    for (const options of [
      { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
      { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
      { colorScheme: 'light', viewport: { width: 390, height: 844 } },
    ] as const) {
      // axe itself is brought in past the page's own policy.
      const { page } = await openPage(t, scene.dashboard.url, { ...options, bypassCSP: true });
      await page.getByRole('button', { name: 'Check this machine' }).click();
      await page.getByText('MPTCP is on').waitFor();
      await page.getByRole('button', { name: 'host2.example:443' }).click();
      await page.getByRole('complementary').waitFor();
      assert.deepEqual(await seriousViolations(page), [], JSON.stringify(options));
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      assert.equal(overflow, 0, 'nothing may stick out sideways');
    }
  });
});
