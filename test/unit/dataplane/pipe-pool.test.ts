// Pipes: reused, bounded, and never handed on with another connection's bytes in them.

import assert from 'node:assert/strict';
import { fstatSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { type Pipe, PipePool } from '#anabranch/dataplane/pipe-pool.js';
import { read, write } from '#anabranch/ffi/descriptors.js';
import { NativeBuffer, nativeCopy } from '#anabranch/ffi/native-buffer.js';

function acquire(pool: PipePool): Pipe {
  const pipe = pool.acquire();
  assert.ok(pipe);
  return pipe;
}

const isOpen = (fd: number) => {
  try {
    return fstatSync(fd).isFIFO();
  } catch {
    return false;
  }
};

test('a released pipe is used again, and closed beyond the bound of idle ones', () => {
  const pool = new PipePool(8, 1);
  const [a, b] = [acquire(pool), acquire(pool)];
  assert.equal(pool.open, 2);
  pool.release(a, true);
  pool.release(b, true);
  assert.equal(pool.open, 1);
  assert.ok(isOpen(a.readEnd) && isOpen(a.writeEnd));
  assert.ok(!isOpen(b.readEnd) && !isOpen(b.writeEnd));
  assert.equal(acquire(pool), a);
  pool.release(a, true);
  pool.drain();
  assert.equal(pool.open, 0);
  assert.ok(!isOpen(a.readEnd));
});

test('no more pipes than allowed exist', () => {
  const pool = new PipePool(2, 2);
  const [a, b] = [acquire(pool), acquire(pool)];
  assert.equal(pool.acquire(), undefined);
  pool.release(a, false);
  const c = acquire(pool);
  assert.equal(pool.acquire(), undefined);
  pool.release(b, true);
  pool.release(c, true);
  pool.drain();
  assert.equal(pool.open, 0);
});

test('a pipe that still holds bytes is closed', () => {
  const pool = new PipePool(2, 2);
  const used = acquire(pool);
  assert.equal(write(used.writeEnd, nativeCopy(Buffer.from('secret')), 6), 6);
  pool.release(used, false);
  assert.equal(pool.open, 0);
  const next = acquire(pool);
  assert.equal(read(next.readEnd, new NativeBuffer(16), 16), -11);
  pool.release(next, true);
  pool.drain();
});

test('a pipe holds what it says', () => {
  const pool = new PipePool(1, 0);
  const pipe = acquire(pool);
  const page = nativeCopy(new Uint8Array(4096));
  let held = 0;
  for (let put = write(pipe.writeEnd, page, 4096); put > 0; put = write(pipe.writeEnd, page, 4096)) held += put;
  assert.equal(held, pipe.capacity);
  assert.ok(held >= 65_536);
  pool.release(pipe, false);
});

test('when descriptors run out there is no pipe, and the pool is none the worse', async (t) => {
  const pool = new PipePool(100, 0);
  const { spawnSync } = await import('node:child_process');
  const script = `
    const { PipePool } = await import(${JSON.stringify(import.meta.resolve('#anabranch/dataplane/pipe-pool.js'))});
    const pool = new PipePool(100_000, 0);
    const pipes = [];
    for (let pipe = pool.acquire(); pipe; pipe = pool.acquire()) pipes.push(pipe);
    if (pool.open !== pipes.length || pool.acquire() !== undefined) throw new Error('counted wrongly');
    pool.release(pipes.pop(), true);
    if (pool.acquire() === undefined) throw new Error('does not ask again');
    process.stdout.write(String(pipes.length + 1));
  `;
  const command = `ulimit -n 64; exec "$0" --input-type=module -e "$1"`;
  const run = spawnSync('sh', ['-c', command, process.execPath, script], { encoding: 'utf8', timeout: 60_000 });
  assert.equal(run.status, 0, run.stderr);
  assert.ok(Number(run.stdout) > 0 && Number(run.stdout) < 32, run.stdout);
  assert.equal(pool.open, 0);
  t.diagnostic(
    `${run.stdout} pipes; the system allows ${readFileSync('/proc/sys/fs/pipe-max-size', 'utf8').trim()} bytes`,
  );
});
