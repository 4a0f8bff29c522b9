import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CaptureError, parseCapture, TcpFlag } from '../../../bench/measure/packets.ts';

interface Written {
  readonly seconds: number;
  readonly fraction: number;
  readonly from: number;
  readonly to: number;
  readonly flags: number;
  readonly payload: number;
  /** Extra words of IP and TCP options. */
  readonly ipOptions?: number;
  readonly tcpOptions?: number;
  /** Bytes of payload in the file; all of it unless told. */
  readonly captured?: number;
  readonly etherType?: number;
  readonly protocol?: number;
}

const BIG = 'big';
const LITTLE = 'little';

/** A naive writer of the same format, with Buffer's own calls. */
function writeCapture(packets: readonly Written[], order: 'big' | 'little', magic = 0xa1b23c4d, link = 1): Buffer {
  const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
  const own32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    if (order === BIG) bytes.writeUInt32BE(value);
    else bytes.writeUInt32LE(value);
    return bytes;
  };
  const own16 = (value: number): Buffer => (order === BIG ? u16(value) : Buffer.from([value & 0xff, value >> 8]));
  const parts = [own32(magic), own16(2), own16(4), own32(0), own32(0), own32(262_144), own32(link)];
  for (const packet of packets) {
    const ipHeader = 20 + (packet.ipOptions ?? 0) * 4;
    const tcpHeader = 20 + (packet.tcpOptions ?? 0) * 4;
    const ip = Buffer.alloc(ipHeader);
    ip[0] = 0x40 | (ipHeader / 4);
    ip.writeUInt16BE(ipHeader + tcpHeader + packet.payload, 2);
    ip[9] = packet.protocol ?? 6;
    const tcp = Buffer.alloc(tcpHeader);
    tcp.writeUInt16BE(packet.from, 0);
    tcp.writeUInt16BE(packet.to, 2);
    tcp[12] = (tcpHeader / 4) << 4;
    tcp[13] = packet.flags;
    const payload = Buffer.alloc(packet.captured ?? packet.payload);
    const frame = Buffer.concat([Buffer.alloc(12), u16(packet.etherType ?? 0x0800), ip, tcp, payload]);
    const whole = frame.length + packet.payload - payload.length;
    parts.push(own32(packet.seconds), own32(packet.fraction), own32(frame.length), own32(whole), frame);
  }
  return Buffer.concat(parts);
}

const SYN: Written = { seconds: 1_700_000_000, fraction: 999_999_999, from: 40_000, to: 80, flags: 2, payload: 0 };

describe('captures', () => {
  for (const order of [BIG, LITTLE] as const) {
    test(`${order}-endian, nanoseconds`, () => {
      const file = writeCapture(
        [SYN, { ...SYN, seconds: SYN.seconds + 1, fraction: 1, flags: 0x18, payload: 7 }],
        order,
      );
      assert.deepEqual(parseCapture(file), [
        { atNs: 999_999_999, fromPort: 40_000, toPort: 80, flags: TcpFlag.syn, payloadBytes: 0 },
        { atNs: 1_000_000_001, fromPort: 40_000, toPort: 80, flags: 0x18, payloadBytes: 7 },
      ]);
    });
  }

  test('microseconds', () => {
    const [packet] = parseCapture(writeCapture([{ ...SYN, fraction: 12 }], LITTLE, 0xa1b2c3d4));
    assert.equal(packet?.atNs, 12_000);
  });

  test('options in both headers, and a payload that was cut short', () => {
    const packet = { ...SYN, payload: 5_000, captured: 3, ipOptions: 2, tcpOptions: 10 };
    assert.equal(parseCapture(writeCapture([packet], LITTLE))[0]?.payloadBytes, 5_000);
  });

  test('in order of time, whatever the order in the file', () => {
    const late = { ...SYN, fraction: 5, from: 2 };
    const early = { ...SYN, fraction: 4, from: 1 };
    assert.deepEqual(
      parseCapture(writeCapture([late, early], LITTLE)).map(({ fromPort }) => fromPort),
      [1, 2],
    );
  });

  test('left out: other protocols', () => {
    const file = writeCapture([{ ...SYN, protocol: 17 }, { ...SYN, etherType: 0x86dd }, SYN], LITTLE);
    assert.equal(parseCapture(file).length, 1);
  });

  test('every proper prefix: no header is an error, a record cut short is left out', () => {
    const file = writeCapture([SYN, SYN], LITTLE);
    const record = (file.length - 24) / 2;
    for (let length = 0; length < file.length; length++) {
      const prefix = file.subarray(0, length);
      if (length < 24) assert.throws(() => parseCapture(prefix), CaptureError);
      else assert.equal(parseCapture(prefix).length, Math.floor((length - 24) / record));
    }
  });

  test('refused: another format, another link type', () => {
    assert.throws(() => parseCapture(writeCapture([SYN], LITTLE, 0x0a0d0d0a)), { code: 'BAD_CAPTURE' });
    assert.throws(() => parseCapture(writeCapture([SYN], LITTLE, 0xa1b23c4d, 113)), { code: 'BAD_CAPTURE' });
  });

  test('any bytes: packets or a CaptureError', () => {
    const header = writeCapture([], LITTLE);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, withHeader) => {
        try {
          parseCapture(withHeader ? Buffer.concat([header, bytes]) : bytes);
        } catch (error) {
          assert.ok(error instanceof CaptureError);
        }
      }),
    );
  });
});
