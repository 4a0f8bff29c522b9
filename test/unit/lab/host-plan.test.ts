import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { type HostPlan, hostCommands, lostRoutes, planHosts } from '#anabranch/lab/host-plan.js';
import { createTopology, type TopologyInput } from '#anabranch/lab/topology-input.js';

function planOf(input: TopologyInput, host: string): HostPlan {
  const plan = planHosts(createTopology(input)).find((one) => one.host.name === host);
  assert.ok(plan !== undefined);
  return plan;
}

const homes: TopologyInput = {
  ipv6: false,
  hosts: { client: {}, router: { forward: true }, server: { mptcp: false } },
  links: {
    wifi: { between: ['client', 'router'] },
    cellular: { between: ['client', 'router'], mtu: 1_400 },
    backbone: { between: ['router', 'server'] },
  },
};

describe('a host with several links', () => {
  const commands = hostCommands(planOf(homes, 'client'));

  test('prefers the first of them and can use each', () => {
    assert.deepEqual(
      commands.filter((line) => line.startsWith('route')),
      [
        'route replace 0.0.0.0/0 via 10.0.1.2 dev wifi metric 100',
        'route replace 10.0.1.0/24 dev wifi src 10.0.1.1 table 101',
        'route replace 0.0.0.0/0 via 10.0.1.2 dev wifi table 101',
        'route replace 0.0.0.0/0 via 10.0.2.2 dev cellular metric 101',
        'route replace 10.0.2.0/24 dev cellular src 10.0.2.1 table 102',
        'route replace 0.0.0.0/0 via 10.0.2.2 dev cellular table 102',
      ],
    );
    assert.deepEqual(commands.filter((line) => line.includes('rule')).sort(), [
      'rule add from 10.0.1.1 lookup 101',
      'rule add from 10.0.2.1 lookup 102',
    ]);
  });

  test('tells MPTCP of each, after the addresses are there', () => {
    const endpoints = commands.filter((line) => line.startsWith('mptcp'));
    assert.deepEqual(endpoints, [
      'mptcp limits set subflows 8 add_addr_accepted 8',
      'mptcp endpoint add 10.0.1.1 dev wifi subflow',
      'mptcp endpoint add 10.0.2.1 dev cellular subflow',
    ]);
    assert.ok(commands.indexOf('address add 10.0.2.1/24 dev cellular') < commands.indexOf(endpoints[1] ?? ''));
  });

  test('gives each interface its MTU before it is up', () => {
    const at = (line: string): number => commands.indexOf(line);
    assert.ok(at('link set dev cellular mtu 1400') >= 0);
    assert.ok(at('link set dev cellular mtu 1400') < at('link set dev cellular up'));
  });

  test('in both families, with the rules of IPv6 together', () => {
    const both = hostCommands(planOf({ ...homes, ipv6: true }, 'client'));
    const six = both.map((line) => line.startsWith('-6 '));
    assert.equal(six.filter(Boolean).length, 2);
    assert.equal(six.lastIndexOf(true) - six.indexOf(true), 1);
    assert.ok(both.includes('address add fd00:0:0:1::1/64 dev wifi nodad'));
  });
});

describe('a router', () => {
  test('passes on, has no default route, no table and no endpoint', () => {
    const plan = planOf(homes, 'router');
    assert.deepEqual(
      plan.interfaces.map(({ defaultMetric, table, endpoint }) => [defaultMetric, table, endpoint]),
      Array(3).fill([undefined, undefined, undefined]),
    );
    assert.ok(plan.sysctls.some(({ name, value }) => name === 'net.ipv4.ip_forward' && value === '1'));
  });

  test('knows the way to every network, over the fewest links, never through a host', () => {
    // a – r1 – r2 – r3 – b, and a short cut r1 – r3; h is a host between r1 and r4.
    const input: TopologyInput = {
      ipv6: false,
      hosts: {
        a: {},
        r1: { forward: true },
        r2: { forward: true },
        r3: { forward: true },
        b: {},
        h: {},
        r4: { forward: true },
      },
      links: {
        a1: { between: ['a', 'r1'] },
        x12: { between: ['r1', 'r2'] },
        x23: { between: ['r2', 'r3'] },
        x13: { between: ['r1', 'r3'] },
        x3b: { between: ['r3', 'b'] },
        x1h: { between: ['r1', 'h'] },
        h4: { between: ['h', 'r4'] },
      },
    };
    const { routes } = planOf(input, 'r1');
    assert.deepEqual(routes, [
      { network: '10.0.3.0/24', via: '10.0.2.2', device: 'x12' },
      { network: '10.0.5.0/24', via: '10.0.4.2', device: 'x13' },
    ]);
    assert.deepEqual(planOf(input, 'r4').routes, []);
  });

  test('gets back the routes that went with an interface', () => {
    assert.deepEqual(lostRoutes(planOf(homes, 'client'), 'wifi'), [
      'route replace 0.0.0.0/0 via 10.0.1.2 dev wifi metric 100',
      'route replace 10.0.1.0/24 dev wifi src 10.0.1.1 table 101',
      'route replace 0.0.0.0/0 via 10.0.1.2 dev wifi table 101',
    ]);
    assert.deepEqual(lostRoutes(planOf(homes, 'router'), 'wifi'), []);
  });
});

describe('MPTCP', () => {
  const endpointsOf = (mptcp: boolean | object): string[] =>
    hostCommands(planOf({ ...homes, hosts: { ...homes.hosts, client: { mptcp } as never } }, 'client')).filter((line) =>
      line.startsWith('mptcp endpoint'),
    );

  test('off: no command is about it, and the kernel is told', () => {
    const plan = planOf(homes, 'server');
    assert.deepEqual(
      hostCommands(plan).filter((line) => line.startsWith('mptcp')),
      [],
    );
    assert.ok(plan.sysctls.some(({ name, value }) => name === 'net.mptcp.enabled' && value === '0'));
    assert.deepEqual(endpointsOf(false), []);
  });

  test('endpoints as given, or none', () => {
    assert.deepEqual(endpointsOf({ endpoints: { cellular: ['subflow', 'backup'] } }), [
      'mptcp endpoint add 10.0.2.1 dev cellular subflow backup',
    ]);
    assert.deepEqual(endpointsOf({ endpoints: 'none' }), []);
  });

  test('only links with a way round them get endpoints', () => {
    const flagsOf = (links: TopologyInput['links'], host: string) =>
      planOf(
        { hosts: { client: {}, r1: { forward: true }, r2: { forward: true }, gateway: {}, server: {} }, links },
        host,
      ).interfaces.map(({ device, endpoint }) => `${device} ${endpoint ?? 'none'}`);
    const inLine: TopologyInput['links'] = {
      wifi: { between: ['client', 'r1'] },
      wire: { between: ['client', 'r1'] },
      core: { between: ['r1', 'gateway'] },
      dark: { between: ['r1', 'r2'] },
      back: { between: ['gateway', 'server'] },
    };
    assert.deepEqual(flagsOf(inLine, 'client'), ['wifi subflow', 'wire subflow']);
    assert.deepEqual(flagsOf(inLine, 'gateway'), ['core none', 'back none']);
    const twoWays: TopologyInput['links'] = {
      ...inLine,
      wire: { between: ['client', 'r2'] },
      dark: { between: ['r2', 'gateway'] },
    };
    assert.deepEqual(flagsOf(twoWays, 'client'), ['wifi subflow', 'wire subflow']);
    assert.deepEqual(flagsOf(twoWays, 'gateway'), ['core subflow', 'dark subflow', 'back none']);
  });

  test('a host with one link needs no endpoint', () => {
    const lines = hostCommands(planOf({ ...homes, hosts: { ...homes.hosts, server: {} } }, 'server'));
    assert.deepEqual(
      lines.filter((line) => line.startsWith('mptcp endpoint')),
      [],
    );
  });
});

test('sysctls that are given come last and must be taken', () => {
  const { sysctls } = planOf(
    { hosts: { a: { sysctls: { 'net.ipv4.tcp_rmem': '4096 87380 720000' } } }, links: {} },
    'a',
  );
  assert.deepEqual(sysctls.at(-1), { name: 'net.ipv4.tcp_rmem', value: '4096 87380 720000', required: true });
  assert.ok(sysctls.slice(0, -1).every(({ required }) => !required));
});
