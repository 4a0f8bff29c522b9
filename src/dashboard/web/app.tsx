// The page.

import { render } from 'preact';
import { Events, Health } from './events.tsx';
import { FlowDrawer } from './flow-drawer.tsx';
import { FlowTable } from './flow-table.tsx';
import { formatBytes } from './format.tsx';
import { PastFlows } from './past-flows.tsx';
import { PathCards } from './path-cards.tsx';
import { Report } from './report.tsx';
import { connected, counters, follow, inbounds, version } from './store.tsx';
import { Throughput } from './throughput.tsx';

const WORDS = { connecting: 'Connecting…', live: 'Live', lost: 'Connection lost' };

function Head() {
  const { active = 0, accepted = 0, bytesUp = 0, bytesDown = 0 } = counters.value;
  return (
    <header class="head">
      <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
        <path d="M3 16c6 0 6-9 13-9s7 9 13 9M3 16c6 0 6 9 13 9s7-9 13-9" />
      </svg>
      <div>
        <h1>Anabranch</h1>
        <p>{inbounds.value.join(' · ')}</p>
      </div>
      <dl class="totals">
        <div>
          <dt>Connections</dt>
          <dd>{active}</dd>
        </div>
        <div>
          <dt>Accepted</dt>
          <dd>{accepted}</dd>
        </div>
        <div>
          <dt>Down</dt>
          <dd>{formatBytes(bytesDown)}</dd>
        </div>
        <div>
          <dt>Up</dt>
          <dd>{formatBytes(bytesUp)}</dd>
        </div>
      </dl>
      <p class={`pulse pulse-${connected.value}`} role="status">
        <span class="dot" aria-hidden="true" /> {WORDS[connected.value]}
      </p>
    </header>
  );
}

function App() {
  return (
    <>
      <Head />
      {connected.value === 'lost' && (
        <p class="banner" role="alert">
          The proxy does not answer. The figures below are old; this page comes back by itself.
        </p>
      )}
      <main>
        <PathCards />
        <Throughput />
        <FlowTable />
        <PastFlows />
        <Report />
        <div class="columns">
          <Events />
          <Health />
        </div>
      </main>
      <FlowDrawer />
      <footer>Anabranch {version.value}</footer>
    </>
  );
}

const root = document.getElementById('app');
if (root !== null) {
  root.replaceChildren();
  render(<App />, root);
  follow();
}
