import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { EMPTY_BATCH } from '#anabranch/flowlog/entry.js';
import { countEntries, listSegments, segmentPath } from '#anabranch/flowlog/segments.js';
import { SpoolReader } from '#anabranch/flowlog/spool-reader.js';
import { SpoolWriter } from '#anabranch/flowlog/spool-writer.js';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'anabranch-spool-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Scene {
  readonly writer: SpoolWriter;
  readonly reader: SpoolReader;
  readonly damaged: number[];
}

async function openSpool(bytesMax: number): Promise<Scene> {
  const damaged: number[] = [];
  const reader = new SpoolReader({ directory, onDamaged: (_, bytes) => damaged.push(bytes) });
  const writer = await SpoolWriter.open({
    directory,
    bytesMax,
    onWritten: (segment, bytes) => reader.onWritten(segment, bytes),
    onDropped: (segment, entries) => reader.onDropped(segment, entries),
    onLost: (entries) => assert.fail(`${entries} lost in memory`),
    onTrouble: (error) => assert.fail(String(error)),
  });
  for (const { number, bytes } of writer.leftBehind) reader.onWritten(number, bytes);
  return { writer, reader, damaged };
}

const event = (n: number) => ({ id: String(n), at: n, kind: 'x'.repeat(1_000) });
const events = (from: number, to: number) => ({
  ...EMPTY_BATCH,
  events: Array.from({ length: to - from }, (_, n) => event(from + n)),
});

async function readAll(reader: SpoolReader): Promise<number[]> {
  const read: number[] = [];
  for (;;) {
    const batch = await reader.next(100);
    if (batch.events.length === 0) return read;
    read.push(...batch.events.map(({ id }) => Number(id)));
  }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n);

test('what is written is read, in order, over many segments and two lives', async () => {
  const first = await openSpool(8 << 20);
  first.writer.append(events(0, 3_000));
  await first.writer.close();
  await first.writer.end();
  assert.ok(readdirSync(directory).length > 1);

  const { writer, reader, damaged } = await openSpool(8 << 20);
  writer.append(events(3_000, 4_000));
  await writer.close();
  assert.deepEqual(await readAll(reader), numbers(0, 4_000));
  assert.deepEqual(damaged, []);
  for (const segment of [...reader.finish(), ...(await reader.close())]) await writer.remove(segment);
  await writer.end();
  assert.equal(writer.bytes, 0);
  assert.deepEqual(readdirSync(directory), []);
});

test('beyond its bound the oldest go, and every entry is either read or counted', async () => {
  const bytesMax = 1 << 20;
  const left = await openSpool(bytesMax);
  left.writer.append(events(0, 500));
  await left.writer.close();
  await left.writer.end();
  const { writer, reader } = await openSpool(bytesMax);
  writer.append(events(500, 4_000));
  await writer.close();
  assert.ok(writer.bytes <= bytesMax * 1.5, `${writer.bytes}`);
  const read = await readAll(reader);
  assert.equal(read.length + reader.takeLost(), 4_000);
  assert.deepEqual(read, numbers(4_000 - read.length, 4_000));
  await reader.close();
  await writer.end();
});

test('cut anywhere, a segment gives what was whole', async () => {
  const { writer } = await openSpool(8 << 20);
  writer.append(events(0, 600));
  await writer.close();
  await writer.end();
  const [segment] = await listSegments(directory);
  assert.ok(segment !== undefined);
  const path = segmentPath(directory, segment.number);
  assert.equal(await countEntries(path), 600);
  for (let bytes = segment.bytes - 1; bytes > 0; bytes -= 37_123) {
    truncateSync(path, bytes);
    const again = await openSpool(8 << 20);
    again.reader.onWritten(segment.number + 1, 0);
    const read = await readAll(again.reader);
    assert.deepEqual(read, numbers(0, read.length));
    assert.equal(read.length, await countEntries(path));
    assert.ok(read.length < 600);
    await again.reader.close();
    await again.writer.close();
    await again.writer.end();
  }
});

test('a disk that takes nothing: memory is bounded, the oldest entries go, and each is counted', async () => {
  const MEBIBYTE = 1 << 20;
  const full = join(directory, 'spool');
  let lost = 0;
  const troubles: (Error | undefined)[] = [];
  const writer = await SpoolWriter.open({
    directory: full,
    bytesMax: 1 << 30,
    onWritten: () => {},
    onDropped: () => assert.fail('nothing was written'),
    onLost: (entries) => {
      lost += entries;
    },
    onTrouble: (error) => troubles.push(error),
  });
  // Segments cannot be made.
  rmSync(full, { recursive: true });
  const before = process.memoryUsage().arrayBuffers;
  const count = 80_000;
  for (let n = 0; n < count; n += 2_000) {
    writer.append(events(n, n + 2_000));
    await new Promise((resolve) => setTimeout(resolve, 1));
    const { entries, bytes } = writer.queue;
    assert.ok(bytes <= 48 * MEBIBYTE, `${bytes} bytes wait`);
    // What is on its way to the disk is in neither count.
    assert.ok(lost + entries <= n + 2_000);
  }
  assert.ok(lost > 0 && lost < count);
  const grown = process.memoryUsage().arrayBuffers - before;
  assert.ok(grown < 100e6, `buffers grew by ${grown} bytes`);
  assert.ok(troubles[0] !== undefined);
  await writer.close();
  await writer.end();
  assert.equal(lost, count);
});

test('what waits for the database is known to the entry, whatever was left by an earlier life', async () => {
  const first = await openSpool(8 << 20);
  first.writer.append(events(0, 3_000));
  await first.writer.close();
  await first.writer.end();
  const second = await openSpool(8 << 20);
  assert.equal(second.writer.waitingAfter(undefined).entries, 3_000);
  assert.equal(second.writer.waitingAfter(undefined).bytes, second.writer.bytes);
  second.reader.onWritten((second.writer.leftBehind.at(-1)?.number ?? 0) + 1, 0);
  let read = 0;
  for (;;) {
    const batch = await second.reader.next(100);
    read += batch.events.length;
    const { entries } = second.writer.waitingAfter(second.reader.position);
    assert.equal(entries, 3_000 - read);
    if (batch.events.length === 0) break;
  }
  assert.equal(read, 3_000);
  assert.deepEqual(second.writer.waitingAfter(second.reader.position), { entries: 0, bytes: 0 });
  await second.writer.close();
  await second.writer.end();
});
