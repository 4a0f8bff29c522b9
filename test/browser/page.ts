// Headless Chromium with a dashboard in it, and what went wrong on its console.

import type { TestContext } from 'node:test';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';

export interface OpenPage {
  readonly page: Page;
  /** Console errors and uncaught exceptions, as they come. */
  readonly faults: readonly string[];
}

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** `program`: a Chromium, or what starts one elsewhere. */
export async function openPage(
  t: TestContext,
  url: string,
  options: BrowserContextOptions = {},
  program = '/usr/bin/chromium',
): Promise<OpenPage> {
  const browser = await chromium.launch({ executablePath: program, args: FLAGS });
  t.after(() => browser.close());
  const page = await browser.newPage(options);
  page.setDefaultTimeout(10_000);
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  page.on('pageerror', (error) => faults.push(error.message));
  await page.goto(url);
  return { page, faults };
}
