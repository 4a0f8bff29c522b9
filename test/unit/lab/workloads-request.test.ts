import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import {
  encodeReceipt,
  encodeRequest,
  parseReceipt,
  parseRequest,
  RECEIPT_BYTES,
  REQUEST_BYTES,
  type Request,
} from '#anabranch/lab/workloads/request.js';
import { ProtocolError } from '#anabranch/wire/protocol-error.js';

const amount = fc.oneof(fc.nat(), fc.constantFrom(0, 1, 2 ** 40, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY));
const request: fc.Arbitrary<Request> = fc.record(
  {
    key: fc.integer({ min: 0, max: 0xffff_ffff }),
    flow: fc.nat(1_000_000),
    requestBytes: amount,
    responseBytes: amount,
    bitsPerSecond: amount,
    once: fc.boolean(),
  },
  { noNullPrototype: true },
);

describe('the first bytes of a workload connection', () => {
  test('come out as they went in, with more bytes behind them, and not before they are whole', () => {
    fc.assert(
      fc.property(request, fc.uint8Array({ maxLength: 5 }), (value, more) => {
        const bytes = encodeRequest(value);
        assert.deepEqual(parseRequest(Buffer.concat([bytes, more])), { value, bytesRead: REQUEST_BYTES });
        for (let length = 0; length < bytes.length; length++) {
          assert.equal(parseRequest(bytes.subarray(0, length)), undefined);
        }
      }),
    );
  });

  test('of others are refused, and none crash', () => {
    assert.throws(() => parseRequest(Buffer.from('GET / HTTP/1.1\r\n')), ProtocolError);
    const negative = encodeRequest({
      key: 1,
      flow: 0,
      requestBytes: -1,
      responseBytes: Number.NaN,
      bitsPerSecond: 0,
      once: false,
    });
    assert.throws(() => parseRequest(negative), ProtocolError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          parseRequest(bytes);
        } catch (error) {
          assert.ok(error instanceof ProtocolError);
        }
      }),
    );
  });

  test('a receipt tells how much came', () => {
    for (const bytes of [0, 1, 2 ** 40]) {
      const receipt = encodeReceipt(bytes);
      assert.deepEqual(parseReceipt(receipt), { value: bytes, bytesRead: RECEIPT_BYTES });
      for (let i = 0; i < RECEIPT_BYTES; i++) assert.equal(parseReceipt(receipt.subarray(0, i)), undefined);
    }
    assert.throws(() => parseReceipt(new Uint8Array(RECEIPT_BYTES)), ProtocolError);
  });
});
