// Rules that hold at certain times: what the clock shows, when somebody looks at it, and what follows for a connection.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Config } from '#anabranch/config/config.js';
import { parseConfig } from '#anabranch/config/parse.js';
import { type Timer, TimerHeap } from '#anabranch/dataplane/timers.js';
import { Purpose, WishLine } from '#anabranch/proxy/purpose.js';
import { type RouteQuery, Routes } from '#anabranch/proxy/routes.js';
import { minuteOfWeek, PhaseWatch } from '#anabranch/proxy/wall-clock.js';

// Node reads it anew when it is set so.
process.env.TZ = 'Europe/Berlin';

const MINUTE_MS = 60_000;
const local = (text: string): number => new Date(text).getTime();

/** A loop in which time passes at once, and a wall clock that runs along with it unless it is set. */
class Passing {
  now = 1_000;
  offset: number;
  looks = 0;
  readonly #timers = new TimerHeap();

  constructor(start: number) {
    this.offset = start - this.now;
  }

  clock = (): number => {
    this.looks++;
    return this.now + this.offset;
  };

  arm(timer: Timer, deadline: number): void {
    this.#timers.arm(timer, deadline);
  }

  disarm(timer: Timer): void {
    this.#timers.disarm(timer);
  }

  get armed(): number {
    return this.#timers.size;
  }

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const wait = this.#timers.untilNext(this.now);
      if (wait < 0 || this.now + wait > end) break;
      this.now += wait;
      this.#timers.expire(this.now);
    }
    this.now = end;
  }
}

test('the minute of the week, where clocks are changed', () => {
  const table: readonly (readonly [string, string])[] = [
    ['2026-11-23T00:00:00', 'mon 0:00'],
    ['2026-11-22T23:59:59.999', 'sun 23:59'],
    ['2026-11-25T12:34:56', 'wed 12:34'],
    // Summer time begins on 29 March 2026 at 01:00 UTC, and ends on 25 October.
    ['2026-03-29T00:59:59Z', 'sun 1:59'],
    ['2026-03-29T01:00:00Z', 'sun 3:00'],
    ['2026-10-25T00:30:00Z', 'sun 2:30'],
    ['2026-10-25T01:30:00Z', 'sun 2:30'],
  ];
  const names = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
  for (const [moment, expected] of table) {
    const minute = minuteOfWeek(local(moment));
    const [hour, rest] = [Math.floor((minute % 1_440) / 60), minute % 60];
    assert.equal(`${names[Math.floor(minute / 1_440)]} ${hour}:${String(rest).padStart(2, '0')}`, expected, moment);
  }
});

test('it looks once a minute, as the minute begins, and tells of changes only', () => {
  const time = new Passing(local('2026-11-23T07:57:30.250'));
  const changes: number[] = [];
  const watch = new PhaseWatch(time, time.clock, () => changes.push(time.now + time.offset));
  watch.watch((now) => String(now >= local('2026-11-23T08:00:00')));
  time.pass(10 * MINUTE_MS);
  assert.deepEqual(changes, [local('2026-11-23T08:00:00')]);
  assert.equal(time.looks, 11);
  // Rules without times want no clock.
  watch.watch(() => undefined);
  assert.equal(time.armed, 0);
  watch.watch(() => 'a');
  watch.stop();
  assert.equal(time.armed, 0);
});

test('a clock that is set, ahead or back, is heeded within a minute', () => {
  const time = new Passing(local('2026-11-23T05:00:10'));
  let phases = '';
  const phaseAt = (now: number) => (new Date(now).getHours() >= 8 ? 'on ' : 'off ');
  const watch = new PhaseWatch(time, time.clock, () => {
    phases += phaseAt(time.now + time.offset);
  });
  watch.watch(phaseAt);
  for (const hours of [4, -3, 12]) {
    time.offset += hours * 3_600_000 + 17_123;
    time.pass(MINUTE_MS);
  }
  assert.equal(phases, 'on off on ');
  // And then as each minute begins, as ever.
  time.offset = local('2026-11-23T07:58:01') - time.now;
  time.pass(MINUTE_MS);
  assert.equal(phases, 'on off on off ');
  time.pass(58_999);
  assert.equal(phases, 'on off on off ');
  time.pass(1);
  assert.equal(phases, 'on off on off on ');
});

const FILE = `
paths: { manage: true, mode: userspace, wish: low-latency }
outbounds: [{ name: gateway, type: socks, server: "gw.example:1080" }]
rules:
  - { when: { time: [22:00-06:00, "sat,sun"] }, use: gateway, wish: max-throughput }
  - { when: { time: mon-fri 08:00-18:00, port: 443 }, use: gateway, wish: avoid metered }
  - { when: { time: wed 12:00-13:00 }, use: deny }
  - { use: direct }
`;

function configOf(): Config {
  const parsed = parseConfig(FILE, { fileName: 'f', defaults: { workers: 1, admin: undefined } });
  assert.ok('config' in parsed, JSON.stringify(parsed));
  return parsed.config;
}

function queryOf({ inbounds: [inbound] }: Config, port: number): RouteQuery {
  assert.ok(inbound !== undefined);
  const account = { uid: undefined };
  return { inbound, source: '127.0.0.1', user: undefined, account, destination: { host: '192.0.2.1', port } };
}

test('a connection that is still being dialed when other rules come to hold follows once it stands', () => {
  const config = configOf();
  const time = new Passing(local('2026-11-25T05:59:59'));
  const context = { config, routes: new Routes(config, new Set()), wishes: new WishLine(), clock: time.clock };
  const purpose = new Purpose(context, queryOf(config, 443));
  const search = purpose.find();
  assert.ok(search.kind === 'found');
  purpose.decided(search.route);
  time.pass(1_000);
  assert.equal(purpose.anew(), false);
  assert.equal(purpose.wish.kind, 'max-throughput');
  purpose.stands(1, '192.0.2.1');
  assert.equal(purpose.wish.kind, 'low-latency');
});

test('a rule holds in its time: outbound, wish, deny, for connections that come and those that stand', () => {
  const config = configOf();
  const routes = new Routes(config, new Set());
  const found = (moment: string, port: number): string => {
    const search = routes.find(queryOf(config, port), local(moment));
    return search.kind === 'found' ? `${search.route.name} ${search.route.wish?.kind}` : search.kind;
  };
  assert.equal(found('2026-11-23T05:59:59', 443), 'gateway max-throughput');
  assert.equal(found('2026-11-23T06:00:00', 443), 'direct undefined');
  assert.equal(found('2026-11-23T08:00:00', 443), 'gateway avoid-metered');
  assert.equal(found('2026-11-23T08:00:00', 80), 'direct undefined');
  assert.equal(found('2026-11-25T12:30:00', 80), 'denied');
  assert.equal(found('2026-11-28T12:30:00', 80), 'gateway max-throughput');

  const time = new Passing(local('2026-11-25T05:59:30'));
  const purpose = new Purpose({ config, routes, wishes: new WishLine(), clock: time.clock }, queryOf(config, 443));
  const search = purpose.find();
  assert.ok(search.kind === 'found');
  purpose.decided(search.route);
  purpose.stands(1, '192.0.2.1');
  const heard: string[] = [];
  const watch = new PhaseWatch(time, time.clock, () => {
    purpose.anew();
    heard.push(`${new Date(time.now + time.offset).toTimeString().slice(0, 5)} ${purpose.wish.kind}`);
  });
  watch.watch((now) => routes.phase(now));
  assert.equal(purpose.wish.kind, 'max-throughput');
  for (let hour = 0; hour < 17; hour++) time.pass(60 * MINUTE_MS);
  // Denied at noon, were it not for the rule before; at the end of each span the wish is the paths' again.
  assert.deepEqual(heard, [
    '06:00 low-latency',
    '08:00 avoid-metered',
    '12:00 avoid-metered',
    '13:00 avoid-metered',
    '18:00 low-latency',
    '22:00 max-throughput',
  ]);
});
