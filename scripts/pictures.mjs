// node scripts/pictures.mjs: takes the pictures of docs/dashboard.md anew, from a dashboard that watches two paths in the
// lab, one of them cut for a while. Needs root and Chromium, and the tests built.

import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { LabScene } from '../build/test/browser/lab-scene.js';

const into = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs/pictures');
const LOOKS = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1280, height: 1000 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 1000 } },
  { name: 'phone', colorScheme: 'light', viewport: { width: 390, height: 844 } },
];

const scene = await LabScene.start(60_000_000);
let browser;
try {
  browser = await chromium.launch({ executablePath: scene.browser, args: ['--no-sandbox', '--disable-gpu'] });
  const downloads = [1, 2, 3].map(() => scene.download());
  for (const download of downloads) download.catch(() => undefined);
  const pages = [];
  for (const { colorScheme, viewport } of LOOKS) {
    const page = await browser.newPage({ colorScheme, viewport });
    await page.goto(scene.url);
    pages.push(page);
  }
  const link = scene.lab.link('wifi');
  await sleep(8_000);
  await link.down({ how: 'carrier' });
  await sleep(7_000);
  await link.up();
  await sleep(12_000);
  for (const [i, page] of pages.entries()) {
    await page.screenshot({ path: join(into, `dashboard-${LOOKS[i].name}.png`) });
  }
} finally {
  await browser?.close();
  await scene.close();
}
