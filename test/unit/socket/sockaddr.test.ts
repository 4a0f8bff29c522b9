// Socket addresses against a naive codec over Buffers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import { readSockaddr, SOCKADDR_STORAGE, SockaddrBuffer } from '#anabranch/socket/sockaddr.js';

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;

/** struct sockaddr_in: u16 family, be16 port, be32 address, 8 bytes of zero. */
function naive4(octets: readonly number[], port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  octets.forEach((octet, i) => void bytes.writeUInt8(octet, 4 + i));
  return bytes;
}

/** struct sockaddr_in6: u16 family, be16 port, be32 flow, 16 bytes of address, u32 scope. */
function naive6(groups: readonly number[], port: number): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt16LE(AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  groups.forEach((group, i) => void bytes.writeUInt16BE(group, 8 + 2 * i));
  return bytes;
}

const octets = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
/** Neither IPv4-mapped nor anything else that has another text. */
const groups = fc.array(fc.integer({ min: 1, max: 0xffff }), { minLength: 8, maxLength: 8 });
const port = fc.nat(65_535);

/** Filled with other bytes first, as by an earlier use. */
function used(): SockaddrBuffer {
  const buffer = new SockaddrBuffer();
  buffer.address.bytes.fill(0xee);
  return buffer;
}

test('IPv4', () => {
  fc.assert(
    fc.property(octets, port, (address, number) => {
      const buffer = used();
      const text = address.join('.');
      assert.equal(buffer.write(text, number), 16);
      assert.deepEqual(Buffer.from(buffer.address.bytes.subarray(0, 16)), naive4(address, number));
      assert.deepEqual(buffer.read(), { address: text, port: number });
    }),
  );
});

test('IPv6', () => {
  fc.assert(
    fc.property(groups, port, (address, number) => {
      const buffer = used();
      const text = address.map((group) => group.toString(16)).join(':');
      assert.equal(buffer.write(text, number), 28);
      assert.deepEqual(Buffer.from(buffer.address.bytes.subarray(0, 28)), naive6(address, number));
      assert.deepEqual(buffer.read(), { address: text, port: number });
    }),
  );
});

test('IPv4 in an IPv6 address comes out as IPv4', () => {
  fc.assert(
    fc.property(octets, port, (address, number) => {
      const buffer = used();
      const text = address.join('.');
      const [a, b, c, d] = address as [number, number, number, number];
      const mapped = naive6([0, 0, 0, 0, 0, 0xffff, (a << 8) | b, (c << 8) | d], number);
      assert.equal(buffer.write(text, number, 6), 28);
      assert.deepEqual(Buffer.from(buffer.address.bytes.subarray(0, 28)), mapped);
      assert.deepEqual(buffer.read(), { address: text, port: number });
      assert.equal(buffer.write(`::ffff:${text}`, number), 28);
      assert.deepEqual(Buffer.from(buffer.address.bytes.subarray(0, 28)), mapped);
    }),
  );
});

test('short forms', () => {
  const buffer = new SockaddrBuffer();
  const table: readonly (readonly [string, readonly number[]])[] = [
    ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['2001:db8::1:0:0:1', [0x2001, 0xdb8, 0, 0, 1, 0, 0, 1]],
    ['::102:304', [0, 0, 0, 0, 0, 0, 0x102, 0x304]],
  ];
  for (const [text, expected] of table) {
    buffer.write(text, 443);
    assert.deepEqual(Buffer.from(buffer.address.bytes.subarray(0, 28)), naive6(expected, 443));
    assert.deepEqual(buffer.read(), { address: text, port: 443 });
  }
});

test('an address elsewhere in a buffer, and one of another family', () => {
  const { address } = new SockaddrBuffer();
  address.bytes.set(naive4([192, 0, 2, 7], 8080), 40);
  assert.deepEqual(readSockaddr(address, 40), { address: '192.0.2.7', port: 8080 });
  address.view.setUint16(40, AF_UNIX, true);
  assert.deepEqual(readSockaddr(address, 40), { address: '0.0.0.0', port: 0 });
  assert.equal(address.size, SOCKADDR_STORAGE);
});

test('what is no address is refused', () => {
  const buffer = new SockaddrBuffer();
  for (const text of ['', 'localhost', '127.1', '1.2.3.4.5', '::1%lo', ':::', '300.1.1.1']) {
    assert.throws(() => buffer.write(text, 1), RangeError, text);
  }
});
