import { netemFault } from '#anabranch/lab/netem/netem.js';

import { requireCommands, requireNamespaces } from '../requirements.ts';
import { describeLinks } from './link-suite.ts';

// No package brings a feature of the kernel, so its absence is a reason to skip, in CI too.
const skip = requireCommands('ip', 'tc', 'nsenter', 'chrt', 'unshare') || requireNamespaces() || (await netemFault());
if (skip) console.log(`links by netem are not tested here: ${skip}`);

describeLinks('netem', skip || false);
