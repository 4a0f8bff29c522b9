// The end of the demo in plain words. Pure: result in, sentences out.

import { type DemoResult, isWhole, type TransferResult } from './demo-result.ts';
import { printable } from './printable.ts';
import { megabytes, seconds, TRANSFER_NAMES } from './wording.ts';

export function verdictLines(result: DemoResult): string[] {
  const { mptcp, tcp, versions } = result;
  return [
    headline(mptcp, tcp),
    '',
    ...transferLines('Through anabranch, over MPTCP', mptcp),
    ...transferLines('Straight, over plain TCP', tcp),
    ...cutLines(result),
    ...flowLines(result),
    '',
    `anabranch ${versions.anabranch}, Linux ${versions.kernel}, Node ${versions.node}, curl ${versions.curl}`,
  ];
}

function headline(mptcp: TransferResult, tcp: TransferResult): string {
  if (!isWhole(mptcp)) {
    const also = isWhole(tcp) ? ', and the one over plain TCP did' : '';
    return `The download over MPTCP did not come through whole${also}.`;
  }
  if (!isWhole(tcp)) return 'The download over MPTCP came through the cut whole; the one over plain TCP did not.';
  const sooner = tcp.seconds - mptcp.seconds;
  const by = seconds(Math.abs(sooner) * 1000);
  const compared = sooner > 0 ? `${by} sooner than` : `but ${by} later than`;
  return `Both downloads came through whole; the one over MPTCP ${compared} the one over plain TCP.`;
}

/** Lines are kept short enough for a terminal of 100 columns. */
function transferLines(how: string, transfer: TransferResult): string[] {
  const { finished, sha256Ok, bytes, longestStallMs, bytesPerPath, failure } = transfer;
  const took = seconds(transfer.seconds * 1000);
  const end = finished
    ? `finished in ${took}, SHA-256 ${sha256Ok ? 'right' : 'WRONG'}`
    : `not finished, ${megabytes(bytes)} in ${took}`;
  const { path1, path2 } = bytesPerPath;
  return [
    `${how}: ${end}, longest stall ${seconds(longestStallMs)}.`,
    ...(failure === undefined ? [] : [`  It said: ${printable(failure)}`]),
    `  ${megabytes(path1)} came over path 1, ${megabytes(path2)} over path 2, headers included.`,
  ];
}

function cutLines({ events, tcp, settings }: DemoResult): string[] {
  const cut = events.find(({ kind }) => kind === 'cut');
  if (cut === undefined) return ['Path 1 was never cut: the download over MPTCP did not get half-way.'];
  const back = events.find(({ kind }) => kind === 'back');
  if (back === undefined) {
    return [`Path 1 was cut at ${seconds(cut.atMs)}; both downloads were over before it returned.`];
  }
  const again = (['mptcp', 'tcp'] as const).map((transfer) => {
    const regained = events.find((event) => event.kind === 'regained' && event.transfer === transfer);
    const name = TRANSFER_NAMES[transfer];
    return regained === undefined ? `${name} not at all` : `${name} after ${seconds(regained.atMs - back.atMs)}`;
  });
  const hung = isWhole(tcp) && tcp.longestStallMs >= settings.cutMs;
  return [
    `Path 1 was away from ${seconds(cut.atMs)} to ${seconds(back.atMs)}; used again by ${again.join(', by ')}.`,
    ...(hung ? ['Plain TCP stood still all that time, and went on only because the path came back.'] : []),
  ];
}

function flowLines({ flow }: DemoResult): string[] {
  if (flow === undefined) return ["The gateway's flow log has no record of the download."];
  const subflows = flow.subflows.map(({ path, bytesSent, retransmits, closed }) => {
    const over = path === undefined ? 'over neither path' : `over path ${path}`;
    return `  ${over}: ${megabytes(bytesSent)} sent, ${retransmits} segments retransmitted${closed ? ', closed' : ''}`;
  });
  const count = subflows.length === 1 ? '1 subflow' : `${subflows.length} subflows`;
  return [
    `The gateway's flow record (end: ${printable(flow.end)}): ${describeSide(flow.serverSide)} to the server,`,
    `  ${describeSide(flow.clientSide)} to the client, with ${count}:`,
    ...subflows,
  ];
}

/** The states of a side as anabranch names them; one that is not known here is shown as it is. */
function describeSide(state: string | undefined): string {
  if (state === undefined) return 'not connected';
  if (state === 'mptcp') return 'MPTCP';
  if (state === 'peer-without-mptcp') return 'plain TCP (no MPTCP there)';
  return `TCP (${printable(state)})`;
}
