// anabranch lab list, clean: what there is to play and to build, what runs, and the removal of what a killed program left.

import type { Command } from 'commander';
import { withLabErrors } from './lab-privileges.ts';

const LIST_EXAMPLES = `
Examples:
  anabranch lab list
  anabranch lab list --json    the same for a program: { experiments, topologies, running }`;

const CLEAN_EXAMPLES = `
Examples:
  anabranch lab clean    labs in use are left alone; labs of ordinary users never need it`;

export function register(lab: Command): void {
  lab
    .command('list')
    .description('show the experiments and topologies that come along, and the labs that run')
    .option('--json', 'print JSON')
    .addHelpText('after', LIST_EXAMPLES)
    .action(({ json = false }: { json?: boolean }) => withLabErrors(() => list(json)));
  lab
    .command('clean')
    .description('remove what killed labs left behind')
    .addHelpText('after', CLEAN_EXAMPLES)
    .action(() => withLabErrors(clean));
}

async function list(json: boolean): Promise<void> {
  const [{ listExperiments }, { shippedTopologies }, { findRunningLabs }] = await Promise.all([
    import('../lab/experiments/experiment-file.ts'),
    import('../lab/topology-file.ts'),
    import('../lab/running.ts'),
  ]);
  const experiments = listExperiments();
  const topologies = shippedTopologies();
  const running = findRunningLabs().map(({ record: { id, topology, pid, hosts }, inside }) => {
    return { id, topology, pid: inside ?? pid, hosts };
  });
  if (json) {
    console.log(JSON.stringify({ experiments, topologies, running }, null, 2));
    return;
  }
  const width = Math.max(...[...experiments, ...topologies].map(({ name }) => name.length));
  const lines = [
    'experiments, for anabranch lab run',
    ...experiments.map((one) => `  ${one.name.padEnd(width)}  ${one.title}`),
    '',
    'topologies, for anabranch lab up',
    ...topologies.map((one) => `  ${one.name.padEnd(width)}  ${one.about}`),
  ];
  lines.push('', running.length > 0 ? 'labs that run' : 'no lab is running');
  for (const { id, topology, pid, hosts } of running) {
    lines.push(`  ${id}  ${topology}, by process ${pid}: ${hosts.join(', ')}`);
  }
  console.log(lines.join('\n'));
}

async function clean(): Promise<void> {
  const { cleanLabs } = await import('../lab/teardown.ts');
  const removed = cleanLabs();
  console.log(removed.length > 0 ? `removed: ${removed.join(', ')}` : 'nothing was left behind');
}
