// npm test [-- [--no-setup] [suite …]]: everything a test run needs, then node's own runner over build/test.
// Suites are the folders of test/; none named means all. --no-setup installs nothing (no network, no root).
// In CI nothing may be skipped for want of a tool: ANABRANCH_REQUIRE_ALL=1 makes test/requirements.ts fail instead. So more
// is installed there.

import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { run } from 'node:test';
import { spec as Spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { compile } from './compile.mjs';
import { installPackages, packagesInstalled } from './npm-packages.mjs';
import { runSetup, SetupError } from './setup-error.mjs';
import { provideSystemPackages, systemPath } from './system-packages.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const built = join(root, 'build/test');
// They measure time or change the kernel's state, so nothing runs beside them.
const SERIAL = ['netns', 'conformance', 'browser'];
const SUMMARY = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;

await runSetup(async () => {
  const args = process.argv.slice(2);
  const unknown = args.find((arg) => arg.startsWith('-') && arg !== '--no-setup');
  if (unknown !== undefined) throw new SetupError(`unknown option ${unknown}; usage: [--no-setup] [suite …]`);
  const named = args.filter((arg) => !arg.startsWith('-'));
  const setup = !args.includes('--no-setup');

  if (setup && !packagesInstalled(root, { dev: true })) installPackages(root);
  compile(root, ['src', 'test', 'bench']);
  const suites = chooseSuites(named);
  // Unit tests use no foreign program.
  const isCi = process.env.CI === 'true';
  if (setup && suites.some((suite) => suite !== 'unit')) provideSystemPackages('test', ...(isCi ? ['ci'] : []));

  process.env.PATH = systemPath();
  if (isCi) process.env.ANABRANCH_REQUIRE_ALL ??= '1';
  process.chdir(root);
  await runTests(suites);
});

function chooseSuites(named) {
  const folders = existsSync(built) ? readdirSync(built, { withFileTypes: true }) : [];
  const all = folders.filter((entry) => entry.isDirectory() && testFiles(entry.name).length > 0);
  const names = all.map(({ name }) => name).sort();
  const wrong = named.find((name) => !names.includes(name));
  if (wrong !== undefined) throw new SetupError(`no test found in test/${wrong}; there are: ${names.join(', ')}`);
  if (names.length === 0) throw new SetupError('no test found in test/');
  return named.length > 0 ? [...new Set(named)] : names;
}

function testFiles(suite) {
  return readdirSync(join(built, suite), { recursive: true })
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => join(built, suite, file))
    .sort();
}

async function runTests(suites) {
  const serial = suites.filter((suite) => SERIAL.includes(suite)).flatMap(testFiles);
  const parallel = suites.filter((suite) => !SERIAL.includes(suite)).flatMap(testFiles);
  const groups = [
    { files: parallel, concurrency: availableParallelism(), timeout: 5 * 60_000 },
    { files: serial, concurrency: 1, timeout: 10 * 60_000 },
  ].filter(({ files }) => files.length > 0);

  const lines = Readable.from(eventsOf(groups)).compose(new Spec());
  for await (const line of lines) process.stdout.write(line);
}

/** The events of all groups as if of one run: one summary at the end, with the sums. */
async function* eventsOf(groups) {
  const totals = new Map();
  for (const group of groups) {
    for await (const event of run(group)) {
      const { type, data } = event;
      if (type === 'test:fail' && data.todo === undefined) process.exitCode = 1;
      const sum = type === 'test:diagnostic' && data.nesting === 0 && SUMMARY.exec(data.message);
      if (sum) totals.set(sum[1], (totals.get(sum[1]) ?? 0) + Number(sum[2]));
      else yield event;
    }
  }
  for (const [name, value] of totals)
    yield { type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${value}` } };
}
