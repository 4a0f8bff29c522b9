import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { parseTarget } from '#anabranch/proxy/http-target.js';

test('absolute addresses, passed on unchanged', () => {
  const table: [string, string, string, number, string, string][] = [
    ['GET', 'http://a.example/', 'a.example', 80, 'a.example', '/'],
    ['GET', 'HTTP://A.Example:8080/x/../y?q=%41', 'a.example', 8080, 'A.Example:8080', '/x/../y?q=%41'],
    ['GET', 'http://a.example', 'a.example', 80, 'a.example', '/'],
    ['GET', 'http://a.example:/x', 'a.example', 80, 'a.example', '/x'],
    ['GET', 'http://a.example?q', 'a.example', 80, 'a.example', '/?q'],
    ['OPTIONS', 'http://a.example', 'a.example', 80, 'a.example', '*'],
    ['OPTIONS', 'http://a.example/', 'a.example', 80, 'a.example', '/'],
    ['GET', 'http://[2001:db8::1]:81/', '2001:db8::1', 81, '[2001:db8::1]:81', '/'],
    ['GET', 'http://192.0.2.1//x', '192.0.2.1', 80, '192.0.2.1', '//x'],
  ];
  for (const [method, url, host, port, authority, path] of table) {
    assert.deepEqual(parseTarget(method, url), { destination: { host, port }, authority, path });
  }
});

test('everything else is refused with a sentence that says why', () => {
  const table: [string, RegExp][] = [
    ['/', /whole address/],
    ['*', /whole address/],
    ['https://a.example/', /CONNECT/],
    ['ftp://a.example/', /http:\/\/ addresses only/],
    ['a.example:80', /http:\/\/ addresses only/],
    ['http://a.example/#x', /fragment/],
    ['http://user:pw@a.example/', /user name/],
    ['http://a.example@b.example/', /user name/],
    ['http:///x', /no usable host/],
    ['http://a.example:0/', /no usable host/],
    ['http://a.example:65536/', /no usable host/],
    ['http://a.example:80:80/', /no usable host/],
    ['http://0x7f.1/', /no usable host/],
    ['http://a b/', /no usable host/],
    ['http://a.example\\@b.example/', /user name/],
    ['http://2001:db8::1/', /no usable host/],
  ];
  for (const [url, fault] of table) {
    const target = parseTarget('GET', url);
    assert.ok('fault' in target, url);
    assert.match(target.fault, fault, url);
  }
});

test('the WHATWG parser agrees about the host of whatever is accepted', () => {
  const part = fc.stringMatching(/^[a-z0-9.:@/?#[\]%\\-]{0,12}$/);
  fc.assert(
    fc.property(part, part, (authority, rest) => {
      const url = `http://${authority}/${rest}`;
      const target = parseTarget('GET', url);
      if ('fault' in target) return;
      const other = new URL(url);
      const host = target.destination.host.includes(':') ? `[${target.destination.host}]` : target.destination.host;
      assert.equal(other.hostname.replace(/\.$/, ''), host);
      assert.equal(other.port === '' ? 80 : Number(other.port), target.destination.port);
    }),
    { numRuns: 2000 },
  );
});
