import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';

import { bar, sparkline } from '#anabranch/lab/demo/bars.js';
import type { DemoSample } from '#anabranch/lab/demo/demo-result.js';
import { demoSettings } from '#anabranch/lab/demo/demo-settings.js';
import { LiveView } from '#anabranch/lab/demo/live-view.js';
import { printable } from '#anabranch/lab/demo/printable.js';
import { Rates } from '#anabranch/lab/demo/rates.js';
import { Screen } from '#anabranch/lab/demo/screen.js';
import { renderLine } from '#anabranch/lab/demo/styled-line.js';

const ESCAPE = '\u001b';
const SETTINGS = demoSettings({ quick: true, congestion: 'bbr' });

function sampleAt(atMs: number, mptcp: readonly [number, number], tcp: readonly [number, number]): DemoSample {
  const of = (pathBytes: readonly [number, number]) => ({
    bytes: pathBytes[0] + pathBytes[1],
    over: false,
    pathBytes,
  });
  return { atMs, mptcp: of(mptcp), tcp: of(tcp) };
}

describe('bars', () => {
  for (const [share, width, unicode, expected] of [
    [0, 4, true, '    '],
    [1, 4, true, '████'],
    [0.5, 4, true, '██  '],
    [0.59, 4, true, '██▎ '],
    [2, 4, true, '████'],
    [-1, 4, true, '    '],
    [0.5, 4, false, '##..'],
  ] as const) {
    test(`${share} of ${width}, ${unicode ? 'Unicode' : 'ASCII'}`, () => {
      assert.equal(bar(share, width, unicode), expected);
    });
  }

  test('are as wide as they should be, whatever the value', () => {
    const value = fc.double({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(
        value,
        fc.nat(50),
        fc.boolean(),
        fc.array(value, { maxLength: 60 }),
        (share, width, unicode, values) => {
          assert.equal(bar(share, width, unicode).length, width);
          assert.equal(sparkline(values, 20, width, unicode).length, Math.max(width, 0));
        },
      ),
    );
  });

  test('sparklines show the last values, to the right, and leave a gap for nothing', () => {
    assert.equal(sparkline([0, 2.4, 10, 20, 25], 20, 7, true), '   ▁▅██');
    assert.equal(sparkline([0, 2.4, 10, 20, 25], 20, 3, true), '▅██');
    assert.equal(sparkline([0, 20], 20, 3, false), '  #');
  });
});

describe('rates', () => {
  test('are differences of counters over time, in Mbit/s', () => {
    const rates = new Rates();
    rates.push(sampleAt(250, [625_000, 0], [0, 0]));
    rates.push(sampleAt(500, [1_250_000, 312_500], [0, 0]));
    assert.deepEqual(rates.of('mptcp', 0), [20, 20]);
    assert.deepEqual(rates.of('mptcp', 1), [0, 10]);
    assert.equal(rates.recent('mptcp', 1, 2), 5);
    assert.equal(rates.recent('tcp', 0, 2), 0);
  });

  test('keep a bounded history', () => {
    const rates = new Rates();
    for (let i = 1; i <= 1_000; i++) rates.push(sampleAt(i * 250, [i, i], [i, i]));
    assert.equal(rates.of('tcp', 1).length, 160);
  });

  test('two samples of the same moment are no rate', () => {
    const rates = new Rates();
    rates.push(sampleAt(250, [1, 1], [1, 1]));
    rates.push(sampleAt(250, [2, 2], [2, 2]));
    assert.equal(rates.of('mptcp', 0).length, 1);
  });
});

describe('the live view', () => {
  const view = new LiveView(SETTINGS);
  const text = (): string[] => view.lines(100, true).map((line) => renderLine(line, 99, false));

  test('shows both downloads before anything has come', () => {
    assert.equal(text().filter((line) => /^ +0 % {2}0\.0 of 24 MB {2}0\.0 s$/.test(line)).length, 2);
  });

  test('shows rates of each path, then the cut, then the return', () => {
    view.onSample(sampleAt(250, [625_000, 312_500], [625_000, 0]));
    assert.match(text().join('\n'), /path 1 {2}20\.0 Mbit\/s {2}█{20} .*█\n {2}path 2 {2}10\.0 Mbit\/s {2}█{10} +▅/);
    view.onEvent({ atMs: 260, kind: 'cut', path: 1 });
    view.onSample(sampleAt(500, [625_000, 625_000], [625_000, 0]));
    view.onSample(sampleAt(750, [625_000, 937_500], [625_000, 0]));
    assert.equal(text().filter((line) => /path 1 +cut /.test(line)).length, 2);
    view.onEvent({ atMs: 760, kind: 'back', path: 1 });
    assert.equal(text().filter((line) => /path 1 +cut /.test(line)).length, 0);
    assert.deepEqual(text().slice(-2), [
      '   0.3 s  path 1 is cut, silently and in both networks',
      '   0.8 s  path 1 is back',
    ]);
  });

  test('fits any width', () => {
    for (let columns = 1; columns < 200; columns++) {
      for (const line of view.lines(columns, false)) {
        const rendered = renderLine(line, columns - 1, false);
        assert.ok(rendered.length <= Math.max(0, columns - 1), `${columns}: ${rendered}`);
      }
    }
  });

  test('is ASCII where the terminal is', () => {
    for (const line of view.lines(100, false)) assert.match(renderLine(line, 99, false), /^[ -~]*$/);
  });
});

describe('lines', () => {
  test('are cut before they are coloured, so that colours end', () => {
    assert.equal(renderLine([['abc', 'red'], 'def'], 4, true), `${ESCAPE}[31mabc${ESCAPE}[0md`);
    assert.equal(renderLine([['abc', 'red'], 'def'], 2, true), `${ESCAPE}[31mab${ESCAPE}[0m`);
    assert.equal(renderLine([['abc', 'red'], 'def'], 4, false), 'abcd');
  });

  test('never let through what steers a terminal', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        for (const char of renderLine([text], 1_000, false)) {
          const code = char.codePointAt(0)!;
          assert.ok(code >= 0x20 && !(code >= 0x7f && code <= 0x9f), JSON.stringify(char));
        }
      }),
    );
    assert.equal(printable(`curl: ${ESCAPE}[2J\r\nC\u009b1m \u202ebidi`), 'curl: ?[2J??C?1m ?bidi');
  });
});

describe('the screen', () => {
  const size = { columns: 20, rows: 10 };

  test('draws over what it drew, and gives the cursor back once', () => {
    const screen = new Screen({ coloured: false });
    assert.equal(screen.draw([['a'], ['b']], size), `${ESCAPE}[?25la${ESCAPE}[K\nb${ESCAPE}[K\n${ESCAPE}[J`);
    assert.equal(screen.draw([['c']], size), `\r${ESCAPE}[2Ac${ESCAPE}[K\n${ESCAPE}[J`);
    assert.equal(screen.end(), `${ESCAPE}[?25h`);
    assert.equal(screen.end(), '');
  });

  test('leaves out what the terminal has no room for', () => {
    const screen = new Screen({ coloured: false });
    const drawn = screen.draw([['a'], ['b'], ['c'], ['d']], { columns: 20, rows: 3 });
    assert.equal(drawn.split('\n').length, 3);
    assert.ok(!drawn.includes('c'));
  });

  test('begins anew when the size changes', () => {
    const screen = new Screen({ coloured: false });
    screen.draw([['a']], size);
    assert.ok(screen.draw([['a']], { ...size, columns: 10 }).startsWith(`${ESCAPE}[2J${ESCAPE}[H`));
  });

  test('nothing drawn, nothing to give back', () => {
    assert.equal(new Screen({ coloured: true }).end(), '');
  });
});
