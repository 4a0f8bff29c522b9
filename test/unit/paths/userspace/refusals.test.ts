// What the kernel does not do at once.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FakeKernel, subflowPath } from './fake-kernel.ts';

test('a subflow that cannot be spared yet is spared as soon as it can', () => {
  const [dsl, lte] = [subflowPath('d'), subflowPath('te')];
  const kernel = new FakeKernel({ strategy: 'fullmesh', wish: { kind: 'max-throughput' } });
  kernel.director.update([dsl, lte]);
  kernel.connect(1, dsl.address);
  kernel.run(100);
  assert.equal(kernel.shown(), `${dsl.address} ${lte.address}`);
  kernel.confirmed = false;
  kernel.director.tell(1, { strategy: 'fullmesh', wish: { kind: 'prefer', path: 'd' } });
  kernel.run(200);
  assert.equal(kernel.shown(), `${dsl.address} ${lte.address}`);
  kernel.confirmed = true;
  kernel.run(150);
  assert.equal(kernel.shown(), `${dsl.address} (${lte.address})`);
});
