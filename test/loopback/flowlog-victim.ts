// A process that logs until it is killed: `node flowlog-victim.js DIRECTORY TARGET-AS-JSON`. It prints how many flows it
// has handed to the log.

import type { DatabaseTarget } from '#anabranch/flowlog/target.js';
import { flow, openLog } from './flowlog-entries.ts';

const [directory = '', target = ''] = process.argv.slice(2);
const { log } = await openLog(directory, JSON.parse(target) as DatabaseTarget);
let count = 0;
setInterval(() => {
  log.write(Array.from({ length: 40 }, () => flow(count++, { id: `victim-${String(count).padStart(7, '0')}` })));
  process.stdout.write(`${count}\n`);
}, 20);
