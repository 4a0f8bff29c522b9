import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { verifyPassword } from '#anabranch/proxy/passwords.js';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const MAIN = join(ROOT, 'dist/cli/main.js');
const folder = mkdtempSync(join(tmpdir(), 'anabranch-cli-'));
after(() => rmSync(folder, { recursive: true }));

function anabranch(args: readonly string[], input = ''): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    input,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { code: status, out: stdout, err: stderr };
}

test('every example passes the check', () => {
  const examples = readdirSync(join(ROOT, 'examples')).filter((name) => name.endsWith('.yaml'));
  assert.ok(examples.length >= 3);
  for (const example of examples) {
    const path = join(ROOT, 'examples', example);
    assert.deepEqual(anabranch(['check', path]), { code: 0, out: `${path}: good\n`, err: '' });
  }
});

test('the check names every fault on a line of its own, and ends with 1', () => {
  const path = join(folder, 'faulty.yaml');
  writeFileSync(path, 'worker: 2\nlog: on\n');
  assert.deepEqual(anabranch(['check', path]), {
    code: 1,
    out: '',
    err:
      `${path}:1:1 worker: unknown key "worker" — did you mean workers?\n` +
      `${path}:2:6 log: "on" is not a place to log to — off, stdout, a path that ends in .jsonl, embedded, ` +
      'embedded:DIRECTORY, or postgres://user:password@host/database\n',
  });
  const { code, out, err } = anabranch(['check', '--json', path]);
  assert.deepEqual([code, err], [1, '']);
  const { ok, file, faults } = JSON.parse(out);
  assert.deepEqual([ok, file, faults.length], [false, path, 2]);
  assert.deepEqual(faults[0], {
    file: path,
    line: 1,
    column: 1,
    key: 'worker',
    message: 'unknown key "worker"',
    hint: 'did you mean workers?',
  });
});

test('the check reads standard input, and says when it cannot read', () => {
  assert.deepEqual(anabranch(['check', '-'], 'workers: 2'), { code: 0, out: '-: good\n', err: '' });
  assert.deepEqual(JSON.parse(anabranch(['check', '--json', '-'], '').out), { file: '-', ok: true, faults: [] });
  const { code, err } = anabranch(['check', join(folder, 'missing.yaml')]);
  assert.equal(code, 1);
  assert.match(err, /missing\.yaml: cannot be read: ENOENT.* — name a YAML file that you may read\n$/);
});

test('hash makes what the configuration takes', async () => {
  for (const input of ['hunter2', 'hunter2\n', 'hunter2\r\nnext line\n']) {
    const { code, out, err } = anabranch(['hash'], input);
    assert.deepEqual([code, err], [0, '']);
    assert.equal(await verifyPassword(out.trimEnd(), 'hunter2'), true);
    const file = `inbounds: [{ type: socks, listen: 0.0.0.0:1, users: [{ name: a, password: "${out.trimEnd()}" }] }]`;
    assert.equal(anabranch(['check', '-'], file).code, 0);
  }
  assert.deepEqual(anabranch(['hash', '--stdin'], '\n'), {
    code: 1,
    out: '',
    err: 'anabranch: the password is empty; give one of 1 to 255 bytes\n',
  });
  assert.equal(anabranch(['hash', '--stdin'], 'x'.repeat(256)).code, 1);
  assert.equal(anabranch(['hash', 'hunter2']).code, 2);
});

test('config schema prints JSON', () => {
  const { code, out } = anabranch(['config', 'schema']);
  assert.equal(code, 0);
  assert.equal(JSON.parse(out).title, 'Anabranch configuration');
});

test('the version is that of the package', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  assert.deepEqual(anabranch(['--version']), { code: 0, out: `${version}\n`, err: '' });
});

test('every command explains itself, with examples', () => {
  const help = anabranch(['--help']);
  assert.equal(help.code, 0);
  for (const command of ['run', 'check', 'reload', 'status', 'doctor', 'hash']) {
    assert.match(help.out, new RegExp(`^ {2}${command} `, 'm'));
    const { code, out } = anabranch([command, '--help']);
    assert.equal(code, 0);
    assert.match(out, /Examples:\n {2}(?:\S.* )?anabranch/, command);
  }
  assert.match(anabranch(['config', 'schema', '--help']).out, /Examples:/);
});

test('wrong usage ends with 2 and says where help is', () => {
  const table: readonly (readonly [readonly string[], RegExp])[] = [
    [['check'], /^anabranch: missing required argument 'file'\n/],
    [['check', '--jsn', 'f'], /^anabranch: unknown option '--jsn'\n\(Did you mean --json\?\)\n/],
    [['check', 'a', 'b'], /^anabranch: too many arguments/],
    [['run', '--liste', '1'], /^anabranch: unknown option '--liste'\n\(Did you mean --listen\?\)\n/],
    [['rnu'], /^anabranch: unknown command 'rnu'\n\(Did you mean run\?\)\n/],
    [['--listen', '127.0.0.1:1080'], /^anabranch: unknown option '--listen'\n/],
    [['config', 'shema'], /^anabranch: unknown command 'shema'\n\(Did you mean schema\?\)\n/],
  ];
  for (const [args, expected] of table) {
    const { code, out, err } = anabranch(args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, expected);
    assert.match(err, /see --help for usage and examples\n$/);
    assert.ok(!err.includes('    at '), 'no stack trace');
  }
});

test('without a command it shows the commands, and does nothing', () => {
  const { code, out, err } = anabranch([]);
  assert.deepEqual([code, out], [2, '']);
  assert.match(err, /^Usage: anabranch \[options\] \[command\]\n/);
});

test('a reader that stops early is no error', () => {
  const { status, stderr } = spawnSync('sh', ['-c', `"${process.execPath}" "${MAIN}" config schema | head -c 1`], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.deepEqual([status, stderr], [0, '']);
});
