// A program that builds a lab and then ends in the way its argument names, for lab-lifetime.test.ts.

import { createLab } from '#anabranch/lab/lab.js';

const [ending, id = ''] = process.argv.slice(2);
const lab = await createLab({ hosts: { a: {}, b: {} }, links: { wire: { between: ['a', 'b'] } } }, { id });
// A program that runs keeps this one alive, as any child does.
if (ending !== 'end') lab.host('a').spawn(['sleep', '600']);
process.stdout.write('ready\n');

if (ending === 'throw') throw new Error('on purpose');
if (ending === 'exit') process.exit(7);
// The other endings come from outside; `end` is that nothing is left to do once this timer is over.
setTimeout(() => undefined, ending === 'end' ? 100 : 60_000);
