// Refuses workloads that cannot be run, before anything is started.

import { LabError, LabErrorCode } from '../lab-error.ts';
import type { Workload } from './workload.ts';

const FLOWS_MAX = 256;
const PARALLEL_MAX = 512;
const MESSAGE_BYTES_MAX = 1 << 30;
const OBJECTS_MAX = 10_000;
const COUNT_MAX = 1_000_000;
const SECONDS_MAX = 3_600;

/** Throws a LabError that names the field. */
export function checkWorkload(workload: Workload): void {
  const { kind, timeoutSeconds } = workload;
  const fail = (field: string, must: string): never => {
    throw new LabError(LabErrorCode.setup, `${kind} workload: ${field} must ${must}`);
  };
  const within = (field: string, value: number | undefined, least: number, most: number): void => {
    if (value === undefined || (value >= least && value <= most)) return;
    fail(field, `be ${least} to ${most}; it is ${value}`);
  };
  const whole = (field: string, value: number | undefined, least: number, most: number): void => {
    within(field, value, least, most);
    if (value !== undefined && !Number.isInteger(value)) fail(field, `be a whole number; it is ${value}`);
  };
  within('timeoutSeconds', timeoutSeconds, 0.1, 2 * SECONDS_MAX);
  if (workload.kind === 'tool') {
    if (workload.command.length === 0) fail('command', 'name a program');
    return;
  }
  whole('to.port', workload.to.port, 1, 65_535);
  whole('receiveBuffer', workload.receiveBuffer, 1, 1 << 30);
  whole('sendBuffer', workload.sendBuffer, 1, 1 << 30);
  if ('seconds' in workload) within('seconds', workload.seconds, 0.05, SECONDS_MAX);
  if ('count' in workload) whole('count', workload.count, 1, COUNT_MAX);
  if ('flows' in workload) whole('flows', workload.flows, 1, FLOWS_MAX);
  if ('parallel' in workload) whole('parallel', workload.parallel, 1, PARALLEL_MAX);
  if (workload.kind === 'bulk') {
    whole('bytes', workload.bytes, 1, Number.MAX_SAFE_INTEGER);
    if (workload.bytes === undefined && workload.seconds === undefined) fail('bytes or seconds', 'be given');
  } else if (workload.kind === 'stream') {
    within('bitsPerSecond', workload.bitsPerSecond, 8, 1e11);
    within('bufferMs', workload.bufferMs, 0, 600_000);
    within('resumeMs', workload.resumeMs, 0, 600_000);
  } else if (workload.kind === 'page') {
    whole('requestBytes', workload.requestBytes, 0, MESSAGE_BYTES_MAX);
    whole('the number of objects', workload.objects.length, 1, OBJECTS_MAX);
    for (const bytes of workload.objects) whole('objects', bytes, 0, Number.MAX_SAFE_INTEGER);
  } else {
    const least = workload.kind === 'ping-pong' ? 1 : 0;
    whole('requestBytes', workload.requestBytes, least, MESSAGE_BYTES_MAX);
    whole('responseBytes', workload.responseBytes, least, MESSAGE_BYTES_MAX);
    if (workload.kind === 'ping-pong') within('intervalMs', workload.intervalMs, 0, 3_600_000);
    else within('perSecond', workload.perSecond, 0.001, 1e6);
    if (workload.count === undefined && workload.seconds === undefined) fail('count or seconds', 'be given');
  }
}
