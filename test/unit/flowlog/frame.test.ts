import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { EMPTY_BATCH, type EventEntry } from '#anabranch/flowlog/entry.js';
import { encodeFrame, FRAME_HEADER_BYTES, FrameError, parseFrame, parseFrameHeader } from '#anabranch/flowlog/frame.js';

const event = (kind: string): EventEntry => ({ id: 'e', at: 1, kind });
const batchOf = (...kinds: string[]) => ({ ...EMPTY_BATCH, events: kinds.map(event) });

function frameOf(...kinds: string[]): Buffer {
  const frame = encodeFrame(batchOf(...kinds));
  assert.ok(frame !== undefined);
  return frame;
}

test('the layout, written down', () => {
  const payload = Buffer.from('{"events":[{"id":"e","at":1,"kind":"a"}]}');
  const rest = Buffer.concat([Buffer.from([0, 0, 0, 1]), payload]);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(payload.length, 0);
  head.writeUInt32BE(crc32(rest), 4);
  assert.deepEqual(frameOf('a'), Buffer.concat([head, rest]));
});

test('any entries come back, whatever follows', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 20 }),
      fc.uint8Array(),
      (kinds, tail) => {
        const frame = frameOf(...kinds);
        const parsed = parseFrame(Buffer.concat([frame, tail]));
        assert.deepEqual(parsed, { value: batchOf(...kinds), bytesRead: frame.length });
        assert.equal(parseFrameHeader(frame)?.count, kinds.length);
      },
    ),
  );
});

test('every proper prefix needs more', () => {
  const frame = frameOf('a', 'é', '\u0000');
  for (let end = 0; end < frame.length; end++) assert.equal(parseFrame(frame.subarray(0, end)), undefined);
});

test('every changed bit is noticed', () => {
  const frame = frameOf('a');
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const changed = Buffer.from(frame);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    try {
      // A length that grew asks for bytes that never come.
      assert.equal(parseFrame(changed), undefined, `bit ${bit}`);
      assert.ok(bit < 32);
    } catch (error) {
      assert.ok(error instanceof FrameError, String(error));
    }
  }
});

test('any bytes: a frame, more, or a FrameError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        parseFrame(Buffer.from(bytes));
      } catch (error) {
        assert.ok(error instanceof FrameError);
        assert.equal(error.code, 'frame-damaged');
      }
    }),
  );
});

test('what is larger than a frame may be is not one', () => {
  assert.equal(encodeFrame(batchOf('x'.repeat(17 << 20))), undefined);
  assert.equal(FRAME_HEADER_BYTES, 12);
});
