import { requireCommands, requireNamespaces } from '../requirements.ts';
import { describeLinks } from './link-suite.ts';

describeLinks('emulator', requireCommands('ip', 'nsenter', 'chrt') || requireNamespaces());
