// A card for each path: its state, its rates and their last minute, its round-trip time.

import type { BudgetReading, PathReading, SubflowView } from '../source.ts';
import { colourOf } from './colours.tsx';
import { formatBytes, formatRate } from './format.tsx';
import { flows, paths, ticks } from './store.tsx';

const KINDS = { wifi: 'Wi-Fi', cellular: 'Cellular', ethernet: 'Ethernet', dsl: 'DSL', other: 'Network' };
const STATES = { up: 'up', 'no-carrier': 'no link', down: 'off' };
const SPARK_SECONDS = 60;

export function PathCards() {
  if (paths.value.length === 0) return <p class="empty">No network interface with a link yet.</p>;
  return (
    <ul class="cards" aria-label="Paths">
      {paths.value.map((path, index) => (
        <PathCard key={path.name} path={path} index={index} />
      ))}
    </ul>
  );
}

function PathCard({ path, index }: { path: PathReading; index: number }) {
  const series = ticks.value.slice(-SPARK_SECONDS).map(({ paths: all }) => all.find(({ name }) => name === path.name));
  const latest = series.at(-1);
  const subflows = subflowsOf(path);
  const rtts = subflows.map(({ rttMs }) => rttMs).filter((rtt) => rtt > 0);
  const retransmits = subflows.reduce((sum, subflow) => sum + subflow.retransmits, 0);
  return (
    <li
      class={`card state-${isSilent(path) ? 'down' : path.state}`}
      data-path={path.name}
      style={{ '--path': colourOf(index) }}
    >
      <header>
        <h3>{path.known?.path ?? path.name}</h3>
        <span class="kind">{kindOf(path)}</span>
        <span class="state">
          <span class="dot" aria-hidden="true" /> {stateOf(path)}
        </span>
      </header>
      <div class="rates">
        <Rate arrow="↓" label="received" rate={latest?.in ?? 0} />
        <Rate arrow="↑" label="sent" rate={latest?.out ?? 0} />
      </div>
      <Spark values={series.map((one) => (one?.in ?? 0) + (one?.out ?? 0))} />
      <dl>
        <dt>RTT</dt>
        <dd>{rtts.length === 0 ? '–' : `${Math.min(...rtts).toFixed(1)} ms`}</dd>
        <dt>Subflows</dt>
        <dd>{subflows.length}</dd>
        <dt>Sent again</dt>
        <dd>{retransmits}</dd>
        <dt>In all</dt>
        <dd>{formatBytes(path.bytesIn + path.bytesOut)}</dd>
      </dl>
      {path.known?.budget !== undefined && <Budget budget={path.known.budget} />}
      {path.probes?.map(({ address, text }) => (
        <p key={address} class="addresses">
          {text}
        </p>
      ))}
      <p class="addresses">{path.addresses.length === 0 ? 'no address' : path.addresses.join(' · ')}</p>
    </li>
  );
}

function kindOf({ kind, name, known }: PathReading): string {
  const words: string[] = [KINDS[kind]];
  if (known !== undefined && known.path !== name) words.push(name);
  if (known?.cost === 'metered') words.push('metered');
  if (known?.backup === true) words.push('backup');
  return words.join(' · ');
}

/** The link is there, and nothing comes through. */
function isSilent({ state, known }: PathReading): boolean {
  return state === 'up' && known?.trouble === 'silent';
}

function stateOf(path: PathReading): string {
  const trouble = path.known?.trouble ?? '';
  return path.state === 'up' && trouble !== '' ? trouble : STATES[path.state];
}

function Budget({ budget }: { budget: BudgetReading }) {
  const { used, monthly, until, spent } = budget;
  const share = monthly === 0 ? 1 : Math.min(1, used / monthly);
  return (
    <div class={`budget ${spent === undefined ? '' : 'spent'}`}>
      <div class="share" aria-hidden="true">
        <span style={{ width: `${share * 100}%` }} />
      </div>
      <p class="addresses">
        {formatBytes(used)} of {formatBytes(monthly)} until {until}
        {spent !== undefined && (spent === 'off' ? ', used up: not used' : ', nearly used up: backup only')}
      </p>
    </div>
  );
}

function Rate({ arrow, label, rate }: { arrow: string; label: string; rate: number }) {
  return (
    <p class="rate">
      <span aria-hidden="true">{arrow}</span>
      <span class="sr">{label}</span> {formatRate(rate)}
    </p>
  );
}

function Spark({ values }: { values: readonly number[] }) {
  const top = Math.max(...values, 1);
  const points = values.map((value, i) => `${(i / (SPARK_SECONDS - 1)) * 100},${24 - (value / top) * 22}`);
  return (
    <svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points.join(' ')} vector-effect="non-scaling-stroke" />
    </svg>
  );
}

/** Live subflows that leave by this path. */
function subflowsOf(path: PathReading): SubflowView[] {
  const prefixes = path.addresses.map((address) => (address.includes(':') ? `[${address}]:` : `${address}:`));
  return flows.value
    .flatMap((flow) => [...flow.clientSubflows, ...flow.serverSubflows])
    .filter(({ local, closed }) => !closed && prefixes.some((prefix) => local.startsWith(prefix)));
}
