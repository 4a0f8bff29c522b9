import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileRules, type Decision, type Question, type Rule } from '#anabranch/routing/rules.js';
import { ipToBytes } from '#anabranch/wire/ip.js';

const QUESTION: Question = {
  inbound: 'front',
  inboundType: 'socks',
  source: '192.0.2.9',
  user: 'ann',
  account: 1000,
  host: 'www.example.org',
  port: 443,
  minute: 500,
};

/** Conditions that hold, and those that do not, for QUESTION. */
const HOLDS: readonly Rule['when'][] = [
  {},
  { inbound: ['front'] },
  { inbound: ['socks'] },
  { inbound: ['other', 'socks'] },
  { source: ['192.0.2.0/24'] },
  { source: ['2001:db8::/32', '192.0.2.9'] },
  { user: ['bob', 'ann'] },
  { account: [1000] },
  { account: [0, 1000] },
  { domain: ['example.org'] },
  { domain: ['org'] },
  { domain: ['=www.example.org'] },
  { domain: ['www.example.org'] },
  { port: [[443, 443]] },
  {
    port: [
      [1, 80],
      [440, 450],
    ],
  },
  { time: [[500, 501]] },
  {
    time: [
      [0, 100],
      [480, 600],
    ],
  },
  { inbound: ['front'], source: ['192.0.2.0/24'], user: ['ann'], domain: ['example.org'], port: [[1, 65535]] },
];
const FAILS: readonly Rule['when'][] = [
  { inbound: ['http'] },
  { source: ['192.0.3.0/24'] },
  { user: ['bob'] },
  { account: [0, 4_294_967_294] },
  { account: [1000], port: [[80, 80]] },
  { domain: ['=example.org'] },
  { domain: ['ample.org'] },
  { domain: ['ww.example.org', 'a.www.example.org'] },
  { domain: ['192.0.2.9'] },
  { port: [[444, 65535]] },
  { port: [[1, 442]] },
  { time: [[501, 10_080]] },
  { time: [[0, 500]] },
  { inbound: ['front'], user: ['bob'] },
];

test('each condition by itself, and all of them together', () => {
  for (const when of HOLDS) {
    assert.deepEqual(
      compileRules([{ when, use: 'up' }]).decide(QUESTION),
      { kind: 'use', use: 'up' },
      JSON.stringify(when),
    );
  }
  for (const when of FAILS) {
    assert.deepEqual(compileRules([{ when, use: 'up' }]).decide(QUESTION), { kind: 'use', use: 'direct' });
  }
});

test('the first rule that matches decides, and without one direct does', () => {
  const rules = compileRules([
    { when: { port: [[25, 25]] }, use: 'deny' },
    { when: { domain: ['example.org'] }, use: 'gateway' },
    { when: {}, use: 'deny' },
  ]);
  const useFor = (part: Partial<Question>) => rules.decide({ ...QUESTION, ...part });
  assert.deepEqual(useFor({}), { kind: 'use', use: 'gateway' });
  assert.deepEqual(useFor({ port: 25 }), { kind: 'use', use: 'deny' });
  assert.deepEqual(useFor({ host: 'example.net' }), { kind: 'use', use: 'deny' });
  assert.deepEqual(compileRules([]).decide(QUESTION), { kind: 'use', use: 'direct' });
});

test('a client without a name matches no condition on users', () => {
  const rules = compileRules([{ when: { user: ['ann'] }, use: 'up' }]);
  assert.deepEqual(rules.decide({ ...QUESTION, user: undefined }), { kind: 'use', use: 'direct' });
});

test('a client of unknown account matches no condition on accounts, not even that on root', () => {
  for (const use of ['up', 'deny']) {
    const rules = compileRules([{ when: { account: [0, 1000] }, use }]);
    assert.deepEqual(rules.decide({ ...QUESTION, account: undefined }), { kind: 'use', use: 'direct' });
    assert.deepEqual(rules.decide({ ...QUESTION, account: 0 }), { kind: 'use', use });
  }
});

test('whether the account is asked for', () => {
  assert.equal(compileRules([{ when: { user: ['ann'] }, use: 'up' }]).asksAccount, false);
  assert.equal(
    compileRules([
      { when: {}, use: 'up' },
      { when: { account: [0] }, use: 'deny' },
    ]).asksAccount,
    true,
  );
});

test('an address as destination is decided at once', () => {
  const rules = compileRules([
    { when: { address: ['10.0.0.0/8', 'fc00::/7'] }, use: 'deny' },
    { when: { address: ['198.51.100.0/24'] }, use: 'gateway' },
  ]);
  const useFor = (host: string) => rules.decide({ ...QUESTION, host });
  assert.deepEqual(useFor('10.1.2.3'), { kind: 'use', use: 'deny' });
  assert.deepEqual(useFor('fd00::1'), { kind: 'use', use: 'deny' });
  assert.deepEqual(useFor('198.51.100.7'), { kind: 'use', use: 'gateway' });
  assert.deepEqual(useFor('203.0.113.1'), { kind: 'use', use: 'direct' });
});

const BY_NAME: readonly (readonly [string, readonly Rule[], Decision])[] = [
  [
    'a deny of addresses leaves the outbound certain, the addresses to be checked',
    [{ when: { address: ['10.0.0.0/8'] }, use: 'deny' }],
    { kind: 'use-checked', use: 'direct' },
  ],
  [
    'the same in front of an upstream',
    [
      { when: { address: ['10.0.0.0/8'] }, use: 'deny' },
      { when: {}, use: 'gateway' },
    ],
    { kind: 'use-checked', use: 'gateway' },
  ],
  [
    'an allow-list of addresses',
    [
      { when: { address: ['198.51.100.0/24'] }, use: 'direct' },
      { when: {}, use: 'deny' },
    ],
    { kind: 'use-checked', use: 'direct' },
  ],
  [
    'addresses choose between outbounds',
    [{ when: { address: ['198.51.100.0/24'] }, use: 'gateway' }],
    { kind: 'needs-address' },
  ],
  [
    'an earlier rule by name settles it',
    [
      { when: { domain: ['example.org'] }, use: 'gateway' },
      { when: { address: ['10.0.0.0/8'] }, use: 'deny' },
    ],
    { kind: 'use', use: 'gateway' },
  ],
  [
    'an address rule that fails otherwise does not count',
    [{ when: { address: ['10.0.0.0/8'], port: [[25, 25]] }, use: 'gateway' }],
    { kind: 'use', use: 'direct' },
  ],
  [
    'all ways lead to the same outbound',
    [{ when: { address: ['10.0.0.0/8'] }, use: 'direct' }],
    { kind: 'use', use: 'direct' },
  ],
  [
    'all ways lead to deny',
    [
      { when: { address: ['10.0.0.0/8'] }, use: 'deny' },
      { when: {}, use: 'deny' },
    ],
    { kind: 'use', use: 'deny' },
  ],
];

test('what is known of a name before it is resolved', () => {
  for (const [what, rules, expected] of BY_NAME) assert.deepEqual(compileRules(rules).decide(QUESTION), expected, what);
});

test('a name that resolves to a denied address gains nothing by it', () => {
  const rules = compileRules([
    { when: { address: ['10.0.0.0/8', '::1'] }, use: 'deny' },
    { when: { address: ['198.51.100.0/24'] }, use: 'gateway' },
  ]);
  const addresses = ['10.0.0.1', '203.0.113.1', '198.51.100.1', '::1', '2001:db8::1'];
  assert.deepEqual(rules.filterAddresses(QUESTION, 'direct', addresses), ['203.0.113.1', '2001:db8::1']);
  assert.deepEqual(rules.filterAddresses(QUESTION, 'gateway', addresses), ['198.51.100.1']);
  assert.equal(rules.decideAddress(QUESTION, '::ffff:10.0.0.1'), 'deny');
});

test('the phase changes with the rules that hold, and is none where no rule asks for the time', () => {
  const rules = compileRules([
    { when: { time: [[10, 20]] }, use: 'gateway' },
    { when: { port: [[1, 2]] }, use: 'deny' },
    { when: { time: [[15, 30]], user: ['ann'] }, use: 'deny' },
  ]);
  const changes = Array.from({ length: 40 }, (_, minute) => minute).filter(
    (minute) => minute > 0 && rules.phase(minute) !== rules.phase(minute - 1),
  );
  assert.deepEqual(changes, [10, 15, 20, 30]);
  assert.equal(compileRules([{ when: { port: [[1, 2]] }, use: 'deny' }]).phase(10), undefined);
});

// The oracle: conditions as plain predicates over text, no set, no trie, no short cut.

const HOSTS = ['example.org', 'a.example.org', 'b.a.example.org', 'example.net', 'org', '10.0.0.1', '2001:db8::1'];
const ADDRESSES = ['10.0.0.1', '10.9.9.9', '192.0.2.1', '203.0.113.1', '2001:db8::1', 'fd00::1', '::1'];
const NETWORKS = ['10.0.0.0/8', '10.0.0.0/30', '192.0.2.0/24', '0.0.0.0/0', '2001:db8::/32', 'fc00::/7', '::/0'];
const PATTERNS = ['example.org', '=example.org', 'a.example.org', 'org', '=b.a.example.org', 'net'];

const TIMES: [number, number][] = [
  [0, 3],
  [2, 5],
  [9, 10],
];

const some = <T>(items: readonly T[]) => fc.subarray([...items], { minLength: 1 });
const rule: fc.Arbitrary<Rule> = fc.record({
  when: fc.record(
    {
      inbound: some(['front', 'back', 'socks', 'http']),
      source: some(NETWORKS),
      user: some(['ann', 'bob']),
      account: some([0, 1000]),
      domain: some(PATTERNS),
      address: some(NETWORKS),
      port: fc.array(
        fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })).map(([a, b]): [number, number] => {
          return [Math.min(a, b), Math.max(a, b)];
        }),
        { minLength: 1, maxLength: 3 },
      ),
      time: fc.subarray(TIMES, { minLength: 1 }),
    },
    { requiredKeys: [] },
  ),
  use: fc.constantFrom('deny', 'direct', 'gateway', 'other'),
});
const question: fc.Arbitrary<Question> = fc.record({
  inbound: fc.constantFrom('front', 'back'),
  inboundType: fc.constantFrom('socks', 'http'),
  source: fc.constantFrom(...ADDRESSES),
  user: fc.constantFrom('ann', 'bob', undefined),
  account: fc.constantFrom(0, 1000, undefined),
  host: fc.constantFrom(...HOSTS),
  port: fc.integer({ min: 1, max: 9 }),
  minute: fc.integer({ min: 0, max: 9 }),
});

function within(address: string, network: string): boolean {
  const [base = '', length] = network.split('/');
  const bits = (text: string) => [...ipToBytes(text)].map((part) => part.toString(2).padStart(8, '0')).join('');
  return bits(address).length === bits(base).length && bits(address).startsWith(bits(base).slice(0, Number(length)));
}

function naiveUse(rules: readonly Rule[], asked: Question, address: string): string {
  const isName = /[a-z]$/.test(asked.host);
  const found = rules.find(({ when }) => {
    if (when.inbound && !when.inbound.some((name) => name === asked.inbound || name === asked.inboundType))
      return false;
    if (when.source && !when.source.some((network) => within(asked.source, network))) return false;
    if (when.user && !when.user.some((name) => name === asked.user)) return false;
    if (when.account && !when.account.some((uid) => uid === asked.account)) return false;
    const named = (pattern: string) =>
      pattern.startsWith('=') ? asked.host === pattern.slice(1) : `.${asked.host}`.endsWith(`.${pattern}`);
    if (when.domain && !(isName && when.domain.some(named))) return false;
    if (when.address && !when.address.some((network) => within(address, network))) return false;
    if (when.time && !when.time.some(([from, to]) => asked.minute >= from && asked.minute < to)) return false;
    return !when.port || when.port.some(([from, to]) => asked.port >= from && asked.port <= to);
  });
  return found?.use ?? 'direct';
}

test('agrees with a naive matcher, before and after resolution', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 6 }), question, (rules, asked) => {
      const compiled = compileRules(rules);
      const decision = compiled.decide(asked);
      if (!/[a-z]$/.test(asked.host)) {
        assert.deepEqual(decision, { kind: 'use', use: naiveUse(rules, asked, asked.host) });
        return;
      }
      for (const address of ADDRESSES) {
        const use = naiveUse(rules, asked, address);
        assert.equal(compiled.decideAddress(asked, address), use);
        if (decision.kind === 'use') assert.equal(use, decision.use);
        if (decision.kind === 'use-checked') assert.ok(use === decision.use || use === 'deny');
      }
      const expected = ADDRESSES.filter((address) => naiveUse(rules, asked, address) === 'direct');
      assert.deepEqual(compiled.filterAddresses(asked, 'direct', ADDRESSES), expected);
    }),
    { numRuns: 600 },
  );
});
