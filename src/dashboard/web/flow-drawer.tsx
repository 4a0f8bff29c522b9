// One flow opened: both sides with their subflows, and how much each carried.

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { FlowView, SubflowView } from '../source.ts';
import { formatAge, formatBytes, formatMptcp, formatTime } from './format.tsx';
import { flows } from './store.tsx';

/** Id of the flow that is open, or nothing. */
export const opened = signal<string | undefined>(undefined);

const latest = signal<FlowView | undefined>(undefined);

export function FlowDrawer() {
  const box = useRef<HTMLElement>(null);
  const id = opened.value;
  const live = flows.value.find((flow) => flow.id === id);
  useEffect(() => {
    if (live !== undefined) latest.value = live;
  }, [live]);
  useEffect(() => {
    if (id !== undefined) box.current?.focus();
  }, [id]);
  const flow = live ?? (latest.value?.id === id ? latest.value : undefined);
  if (id === undefined || flow === undefined) return null;
  const close = () => {
    opened.value = undefined;
  };
  return (
    <aside
      class="drawer"
      ref={box}
      tabIndex={-1}
      aria-label={`Connection to ${flow.destination}`}
      onKeyDown={(event) => event.key === 'Escape' && close()}
    >
      <header class="bar">
        <h2>{flow.destination || flow.phase}</h2>
        <button type="button" onClick={close}>
          Close
        </button>
      </header>
      <p class="facts">
        {live === undefined ? 'has ended' : flow.phase} · {flow.client}
        {flow.user !== '' && ` (${flow.user})`} · since {formatTime(flow.acceptedAt)} · idle {formatAge(flow.idleMs)}
      </p>
      <p class="facts">
        ↓ {formatBytes(flow.bytesDown)} · ↑ {formatBytes(flow.bytesUp)}
      </p>
      <Side title="Client side" mptcp={flow.clientMptcp} subflows={flow.clientSubflows} />
      <Side title="Server side" mptcp={flow.serverMptcp} subflows={flow.serverSubflows} />
    </aside>
  );
}

function Side({ title, mptcp, subflows }: { title: string; mptcp: string; subflows: readonly SubflowView[] }) {
  if (mptcp === '') return null;
  const total = subflows.reduce((sum, one) => sum + one.bytesSent + one.bytesReceived, 0);
  return (
    <section>
      <h3>{title}</h3>
      <p class="facts">{formatMptcp(mptcp)}</p>
      <ul class="subflows">
        {subflows.map((subflow) => {
          const bytes = subflow.bytesSent + subflow.bytesReceived;
          const share = total === 0 ? 0 : bytes / total;
          return (
            <li key={`${subflow.local} ${subflow.remote}`} class={subflow.closed ? 'closed' : ''}>
              <p>
                <span class="address">{subflow.local}</span> → <span class="address">{subflow.remote}</span>
                {subflow.backup && <em> backup</em>}
                {subflow.closed && <em> closed</em>}
              </p>
              <div class="share" aria-hidden="true">
                <span style={{ width: `${share * 100}%` }} />
              </div>
              <p class="facts">
                {Math.round(share * 100)} % · {formatBytes(bytes)} · RTT {subflow.rttMs.toFixed(1)} ms ·{' '}
                {subflow.retransmits} sent again
              </p>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
