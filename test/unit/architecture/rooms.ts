// The walls between the rooms of src/, as data: which room may import which others.
// biome.json says the same to the linter; layers.test.ts holds the two, and the sources themselves, against each other.

const PURE = ['wire', 'handshake', 'multipath', 'routing', 'analysis', 'config'] as const;
const ADAPTERS = ['ffi', 'socket', 'dataplane', 'netlink', 'shaping', 'flowlog'] as const;
const SERVICES = [
  'proxy',
  'paths',
  'throttle',
  'tunnel',
  'controller',
  'dashboard',
  'report',
  'doctor',
  'lab',
] as const;

export type Room = (typeof PURE)[number] | (typeof ADAPTERS)[number] | (typeof SERVICES)[number] | 'cli';

export const ROOMS: readonly Room[] = [...PURE, ...ADAPTERS, ...SERVICES, 'cli'];

const BEHIND_FFI = ADAPTERS.filter((room) => room !== 'ffi');

/** The other rooms that a room may import; within itself it is free, short of cycles. */
export const MAY_IMPORT: Readonly<Record<Room, readonly Room[]>> = {
  wire: [],
  handshake: ['wire'],
  multipath: ['wire'],
  routing: ['wire'],
  analysis: ['wire'],
  config: ['wire', 'routing'],
  ffi: PURE,
  socket: [...PURE, 'ffi'],
  netlink: [...PURE, 'ffi'],
  dataplane: [...PURE, 'ffi', 'socket'],
  shaping: PURE,
  flowlog: PURE,
  proxy: [...PURE, ...BEHIND_FFI],
  paths: [...PURE, ...BEHIND_FFI],
  throttle: [...PURE, ...BEHIND_FFI],
  tunnel: [...PURE, ...BEHIND_FFI],
  controller: [...PURE, ...BEHIND_FFI],
  dashboard: [...PURE, ...BEHIND_FFI],
  report: [...PURE, ...BEHIND_FFI],
  doctor: [...PURE, ...BEHIND_FFI],
  lab: [...PURE, ...BEHIND_FFI],
  cli: [...PURE, ...BEHIND_FFI, ...SERVICES],
};

/** The lab's link emulator moves packets itself, so it alone among the services may call natively. */
export function mayImport(file: string, from: Room, to: Room): boolean {
  if (from === to || MAY_IMPORT[from].includes(to)) return true;
  return /^lab\/emulator/.test(file) && to === 'ffi';
}

export function isPure(room: Room): boolean {
  return (PURE as readonly Room[]).includes(room);
}

export function roomOf(file: string): Room | undefined {
  return ROOMS.find((room) => file.startsWith(`${room}/`));
}
