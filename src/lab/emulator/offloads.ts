// A thread that switches off the offloads of devices and ends: where the kernel carries the links, frames must be those
// of a wire too, each no larger than the MTU, or a loss takes 64 kB at once.

import { workerData } from 'node:worker_threads';
import { enterNetworkNamespace } from '../../ffi/namespaces.ts';
import { disableOffloads } from '../../ffi/packet.ts';

/** Path of the namespace, and a device there. */
export type OffloadedDevice = readonly [namespace: string, device: string];

for (const [namespace, device] of workerData as readonly OffloadedDevice[]) {
  enterNetworkNamespace(namespace);
  disableOffloads(device);
}
