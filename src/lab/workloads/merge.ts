// A transfer as both its ends saw it: what the client reports, completed by the server.

import { LabError } from '../lab-error.ts';
import type { ClientResult, ServerLine, ServerReport } from './job.ts';
import { type BulkResult, type Workload, type WorkloadError, WorkloadErrorCode } from './workload.ts';

/** `server`: its report, or why there is none. */
export function mergeReports(result: ClientResult, workload: Workload, server: ServerLine | LabError): ClientResult {
  if (server instanceof LabError || server.kind !== 'report') {
    const message = server instanceof LabError ? server.message : 'the server did not report';
    return withErrors(result, [{ code: WorkloadErrorCode.crashed, message, atMs: result.endedMs }]);
  }
  const { report } = server;
  const isUpload = workload.kind === 'bulk' && workload.direction === 'up';
  const seen = isUpload && result.kind === 'bulk' ? withUploads(result, report) : result;
  const [bad] = report.corrupt;
  const judged = bad === undefined || !seen.integrity.ok ? seen : { ...seen, integrity: { ok: false, ...bad } };
  const corrupt = report.corrupt.map(({ flow, firstBadOffset }): WorkloadError => {
    const message = `flow ${flow}: the server got another byte at offset ${firstBadOffset} than was sent`;
    return { code: WorkloadErrorCode.corrupt, message, atMs: result.endedMs, flow };
  });
  return withErrors(judged, [...report.errors, ...corrupt]);
}

function withErrors(result: ClientResult, more: readonly WorkloadError[]): ClientResult {
  if (more.length === 0) return result;
  const errors = [...result.errors, ...more];
  return { ...result, finished: false, errors, errorCount: result.errorCount + more.length };
}

/** The bytes of an upload arrive at the server. */
function withUploads(result: BulkResult, { bytes, series, longestGap, lastByteMs, uploads }: ServerReport): BulkResult {
  const { startedMs, endedMs, finished } = result;
  const seconds = (lastByteMs - startedMs) / 1000;
  const silence = endedMs - lastByteMs;
  const stillWaiting = !finished && bytes > 0 && silence > longestGap.ms;
  return {
    ...result,
    bytes,
    goodput: series,
    bitsPerSecond: bytes > 0 && seconds > 0 ? (bytes * 8) / seconds : 0,
    longestGap: stillWaiting ? { ms: silence, atMs: lastByteMs } : longestGap,
    flows: result.flows.map((flow) => {
      const upload = uploads.find((one) => one.flow === flow.flow);
      if (upload === undefined) return flow;
      const { firstByteMs } = upload;
      const firstByteAfterMs = firstByteMs === undefined ? undefined : firstByteMs - startedMs;
      return { ...flow, bytes: upload.bytes, longestGapMs: upload.longestGapMs, firstByteAfterMs };
    }),
  };
}
