// The live flows: searchable, sortable, and quick with thousands of them, since only the rows in view exist.

import { computed, signal } from '@preact/signals';
import type { FlowView } from '../source.ts';
import { opened } from './flow-drawer.tsx';
import { formatAge, formatBytes, formatRate } from './format.tsx';
import { flows, rates } from './store.tsx';

const ROW_PX = 40;
const VIEW_PX = 440;
const SPARE_ROWS = 8;

interface Column {
  readonly key: string;
  readonly label: string;
  readonly value: (flow: FlowView) => string | number;
  readonly text?: (flow: FlowView) => string;
}

const COLUMNS: readonly Column[] = [
  { key: 'destination', label: 'Destination', value: (flow) => flow.destination },
  {
    key: 'client',
    label: 'Client',
    value: (flow) => (flow.user === '' ? flow.client : `${flow.user} · ${flow.client}`),
  },
  { key: 'way', label: 'Through', value: (flow) => `${flow.inbound} → ${flow.outbound || '…'}` },
  { key: 'subflows', label: 'Subflows', value: openSubflows, text: subflowText },
  { key: 'rate', label: 'Rate', value: rateOf, text: (flow) => formatRate(rateOf(flow)) },
  { key: 'down', label: 'Down', value: (flow) => flow.bytesDown, text: (flow) => formatBytes(flow.bytesDown) },
  { key: 'up', label: 'Up', value: (flow) => flow.bytesUp, text: (flow) => formatBytes(flow.bytesUp) },
  {
    key: 'age',
    label: 'Age',
    value: (flow) => -flow.acceptedAt,
    text: (flow) => formatAge(Date.now() - flow.acceptedAt),
  },
];

const search = signal('');
const sortKey = signal('rate');
const descending = signal(true);
const scrollTop = signal(0);

const shown = computed(() => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const column = COLUMNS.find(({ key }) => key === sortKey.value) as Column;
  const matching = flows.value.filter((flow) => {
    const text =
      `${flow.destination} ${flow.client} ${flow.user} ${flow.inbound} ${flow.outbound} ${flow.phase}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const sign = descending.value ? -1 : 1;
  return matching.sort((a, b) => sign * compare(column.value(a), column.value(b)) || compare(a.id, b.id));
});

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function rateOf(flow: FlowView): number {
  return rates.value.get(flow.id) ?? 0;
}

function openSubflows(flow: FlowView): number {
  return [...flow.clientSubflows, ...flow.serverSubflows].filter(({ closed }) => !closed).length;
}

function subflowText(flow: FlowView): string {
  const isMptcp = flow.clientMptcp === 'mptcp' || flow.serverMptcp === 'mptcp';
  return isMptcp ? `${openSubflows(flow)} MPTCP` : 'TCP';
}

export function FlowTable() {
  const all = shown.value;
  const first = Math.max(0, Math.floor(scrollTop.value / ROW_PX) - SPARE_ROWS);
  const last = Math.min(all.length, first + Math.ceil(VIEW_PX / ROW_PX) + 2 * SPARE_ROWS);
  return (
    <section aria-labelledby="flows">
      <header class="bar">
        <h2 id="flows">
          Live connections <span class="count">{all.length}</span>
        </h2>
        <input
          type="search"
          placeholder="Search"
          aria-label="Search connections"
          value={search.value}
          onInput={(event) => (search.value = event.currentTarget.value)}
        />
      </header>
      <section
        class="scroller"
        style={{ maxHeight: `${VIEW_PX}px` }}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label="Live connections, scrollable"
        onScroll={(event) => {
          scrollTop.value = event.currentTarget.scrollTop;
        }}
      >
        <table>
          <thead>
            <tr>
              {COLUMNS.map((column) => (
                <Heading key={column.key} column={column} />
              ))}
            </tr>
          </thead>
          <tbody>
            <tr class="spacer" style={{ height: `${first * ROW_PX}px` }}>
              <td colSpan={COLUMNS.length} />
            </tr>
            {all.slice(first, last).map((flow) => (
              <Row key={flow.id} flow={flow} />
            ))}
            <tr class="spacer" style={{ height: `${(all.length - last) * ROW_PX}px` }}>
              <td colSpan={COLUMNS.length} />
            </tr>
          </tbody>
        </table>
        {all.length === 0 && (
          <p class="empty">{flows.value.length === 0 ? 'Nothing goes through just now.' : 'No connection matches.'}</p>
        )}
      </section>
    </section>
  );
}

function Heading({ column }: { column: Column }) {
  const isSorted = sortKey.value === column.key;
  const toggle = () => {
    descending.value = isSorted ? !descending.value : typeof column.value !== 'string';
    sortKey.value = column.key;
  };
  return (
    <th
      scope="col"
      class={`col-${column.key}`}
      aria-sort={isSorted ? (descending.value ? 'descending' : 'ascending') : 'none'}
    >
      <button type="button" class="sort" onClick={toggle}>
        {column.label}
        <span aria-hidden="true">{isSorted ? (descending.value ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </th>
  );
}

function Row({ flow }: { flow: FlowView }) {
  return (
    <tr data-flow={flow.id} class={opened.value === flow.id ? 'open' : ''}>
      {COLUMNS.map(({ key, value, text }, i) => (
        <td key={key} class={`col-${key}`}>
          {i === 0 ? (
            <button type="button" class="link" onClick={() => (opened.value = flow.id)}>
              {flow.destination || flow.phase}
            </button>
          ) : (
            (text ?? ((one: FlowView) => String(value(one))))(flow)
          )}
        </td>
      ))}
    </tr>
  );
}
