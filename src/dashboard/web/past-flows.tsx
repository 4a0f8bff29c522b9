// Connections that are over, from the log: a page at a time, searchable, each with its time line.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { PastFlowView, PastPage } from '../source.ts';
import { formatAge, formatBytes, formatMoment } from './format.tsx';
import { Picture, type Pictures, picturesFrom } from './pictures.tsx';
import { SPANS } from './spans.tsx';

/** A search begins when the typing pauses. */
const TYPING_MS = 250;

const search = signal('');
const span = signal(1);
const shown = signal<readonly PastFlowView[]>([]);
const next = signal('');
const trouble = signal('');
const busy = signal(false);
/** Bounded to one: the flow whose time line is open. */
const open = signal<{ readonly id: string; readonly line: Pictures } | undefined>(undefined);
let asked = 0;

async function load(after: string): Promise<void> {
  const question = ++asked;
  busy.value = true;
  const given = new URLSearchParams({ search: search.value, after });
  const ms = SPANS[span.value]?.ms;
  if (ms !== undefined) given.set('since', String(Math.max(0, Date.now() - ms)));
  try {
    const answer = (await (await fetch(`past?${given}`)).json()) as PastPage & { available: boolean; why?: string };
    // Only the latest question counts: an earlier one may be answered later.
    if (question !== asked) return;
    trouble.value = answer.available ? '' : (answer.why ?? '');
    const flows = answer.flows ?? [];
    shown.value = after === '' ? flows : [...shown.value, ...flows];
    next.value = answer.next ?? '';
  } catch {
    if (question === asked) trouble.value = 'The proxy does not answer.';
  }
  if (question === asked) busy.value = false;
}

async function toggle(id: string): Promise<void> {
  if (open.value?.id === id) {
    open.value = undefined;
    return;
  }
  open.value = { id, line: 'drawing' };
  const line = await picturesFrom(`time-line?${new URLSearchParams({ id })}`);
  if (open.value?.id === id) open.value = { id, line };
}

let typing: ReturnType<typeof setTimeout> | undefined;

function type(text: string): void {
  search.value = text;
  clearTimeout(typing);
  typing = setTimeout(() => void load(''), TYPING_MS);
}

export function PastFlows() {
  useEffect(() => void load(''), []);
  return (
    <section aria-labelledby="past">
      <header class="bar">
        <h2 id="past">Past connections</h2>
        <div class="tools">
          <select
            aria-label="Of which time"
            value={span.value}
            onChange={(event) => {
              span.value = Number(event.currentTarget.value);
              void load('');
            }}
          >
            {SPANS.map(({ label }, i) => (
              <option key={label} value={i}>
                {label}
              </option>
            ))}
          </select>
          <input
            type="search"
            placeholder="Destination, user, client"
            aria-label="Search past connections"
            value={search.value}
            onInput={(event) => type(event.currentTarget.value)}
          />
          <button type="button" onClick={() => void load('')}>
            Refresh
          </button>
        </div>
      </header>
      {trouble.value !== '' && <p class="empty">{trouble.value}</p>}
      {trouble.value === '' && shown.value.length === 0 && (
        <p class="empty">{busy.value ? 'Looking…' : 'No connection of that time matches.'}</p>
      )}
      {shown.value.length > 0 && <PastTable />}
      {next.value !== '' && (
        <p class="more">
          <button type="button" disabled={busy.value} onClick={() => void load(next.value)}>
            {busy.value ? 'Looking…' : 'Older ones'}
          </button>
        </p>
      )}
    </section>
  );
}

function PastTable() {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="scroller past" tabIndex={0} aria-label="Past connections, scrollable">
      <table>
        <thead>
          <tr>
            {['Destination', 'Ended', 'Client', 'Through', 'Subflows', 'Lasted', 'Down', 'Up', 'End'].map((label) => (
              <th key={label} scope="col" class={`past-${label.toLowerCase()}`}>
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.value.map((flow) => (
            <Row key={flow.id} flow={flow} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Row({ flow }: { flow: PastFlowView }) {
  const isOpen = open.value?.id === flow.id;
  return (
    <>
      <tr data-past={flow.id} class={isOpen ? 'open' : ''}>
        <td class="past-destination">
          <button type="button" class="link" aria-expanded={isOpen} onClick={() => void toggle(flow.id)}>
            {flow.destination || 'never asked for any'}
          </button>
        </td>
        <td>{formatMoment(flow.endedAt)}</td>
        <td>{flow.user === '' ? flow.client : `${flow.user} · ${flow.client}`}</td>
        <td>
          {flow.inbound} → {flow.outbound || '–'}
        </td>
        <td>{flow.subflows === 0 ? 'TCP' : `${flow.subflows} MPTCP`}</td>
        <td>{formatAge(flow.endedAt - flow.startedAt)}</td>
        <td>{formatBytes(flow.bytesDown)}</td>
        <td>{formatBytes(flow.bytesUp)}</td>
        <td class={flow.end === 'done' ? '' : 'bad'}>{flow.end}</td>
      </tr>
      {isOpen && (
        <tr class="time-line">
          <td colSpan={9}>
            <TimeLine line={open.value?.line ?? 'drawing'} />
          </td>
        </tr>
      )}
    </>
  );
}

function TimeLine({ line }: { line: Pictures }) {
  if (line === 'drawing') return <p class="empty">Drawing its time line…</p>;
  if (typeof line === 'string') return <p class="empty">{line}</p>;
  return (
    <>
      {line.map((picture) => (
        <Picture key={picture.name} picture={picture} />
      ))}
    </>
  );
}
