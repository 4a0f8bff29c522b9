// The dashboard of a proxy that relays over two paths, one of which is cut under its eyes.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { requireCommands, requireMptcp, requireNamespaces } from '../requirements.ts';
import { LabScene } from './lab-scene.ts';
import { openPage } from './page.ts';
import { seriousViolations } from './violations.ts';

const skip = requireCommands('ip', 'nsenter', 'curl', 'chromium') || requireMptcp() || requireNamespaces();
/** Twenty seconds over both paths, a minute over the slower one alone. */
const FILE_BYTES = 60_000_000;
/** Only what hangs takes so long. */
const WAIT_MS = 60_000;

describe('the dashboard of a proxy at work', { skip, timeout: 300_000 }, () => {
  test('figures move, a cut path turns its card, the flow is found live and in the log', async (t) => {
    const scene = await LabScene.start(FILE_BYTES);
    t.after(() => scene.close());
    const { page, faults } = await openPage(t, scene.url, {}, scene.browser);
    page.setDefaultTimeout(WAIT_MS);
    const wifi = page.locator('[data-path="wifi"]');
    const cellular = page.locator('[data-path="cellular"]');
    await wifi.locator('.state').getByText('up').waitFor();

    const download = scene.download();
    download.catch(() => undefined);
    for (const card of [wifi, cellular]) await card.getByText(/Mbit\/s/).waitFor();
    const bytes = await wifi.locator('dl').innerText();
    while ((await wifi.locator('dl').innerText()) === bytes) await page.waitForTimeout(200);

    const link = scene.lab.link('wifi');
    await link.down({ how: 'carrier' });
    await wifi.getByText('no link').waitFor();
    await page.locator('.events').getByText('wifi has lost its link').waitFor();
    await cellular.getByText(/Mbit\/s/).waitFor();
    await link.up();
    await wifi.locator('.state').getByText('up').waitFor();

    const flows = page.locator('tr[data-flow]');
    await page.getByRole('searchbox', { name: 'Search connections' }).fill('nowhere.example');
    await flows.first().waitFor({ state: 'detached' });
    await page.getByRole('searchbox', { name: 'Search connections' }).fill(':8080');
    await flows.getByRole('button').click();
    const drawer = page.getByRole('complementary');
    await drawer.getByText(/RTT/).nth(1).waitFor();
    await page.keyboard.press('Escape');
    await download;

    const past = page.locator('tr[data-past]');
    while ((await past.count()) === 0) {
      await page.getByRole('button', { name: 'Refresh' }).click();
      await page.waitForTimeout(500);
    }
    await past.getByRole('button').click();
    const line = page.locator('.time-line img').first();
    await line.waitFor();
    const width = await line.evaluate((image: { decode(): Promise<void>; naturalWidth: number }) => {
      return image.decode().then(() => image.naturalWidth);
    });
    assert.ok(width > 0);
    await page.getByRole('button', { name: 'All there is' }).click();
    await page.locator('.pictures img').nth(1).waitFor();
    assert.deepEqual(await seriousViolations(page), []);
    assert.deepEqual(faults, []);
  });
});
