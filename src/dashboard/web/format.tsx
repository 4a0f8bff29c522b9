// Figures as people read them.

const UNITS = ['', 'k', 'M', 'G', 'T'];

function scaled(value: number, unit: string): string {
  let step = 0;
  let rest = value;
  while (rest >= 1000 && step < UNITS.length - 1) {
    rest /= 1000;
    step++;
  }
  const digits = step === 0 || rest >= 100 ? 0 : 1;
  return `${rest.toFixed(digits)} ${UNITS[step]}${unit}`;
}

export function formatBytes(bytes: number): string {
  return scaled(bytes, 'B');
}

/** From bytes per second. */
export function formatRate(rate: number): string {
  return scaled(rate * 8, 'bit/s');
}

export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export function formatTime(at: number): string {
  return new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false });
}

/** With the day when it was not today. */
export function formatMoment(at: number): string {
  const day = new Date(at).toLocaleDateString('sv');
  return day === new Date().toLocaleDateString('sv') ? formatTime(at) : `${day} ${formatTime(at)}`;
}

const REASONS: Readonly<Record<string, string>> = {
  mptcp: 'MPTCP',
  'not-asked': 'TCP',
  'no-kernel-support': 'TCP: this kernel has no MPTCP',
  'client-without-mptcp': 'TCP: the client did not ask for MPTCP',
  'peer-without-mptcp': 'TCP: the server does not speak MPTCP, or a middlebox took it out',
  'fell-back': 'TCP: MPTCP was given up',
};

export function formatMptcp(state: string): string {
  return REASONS[state] ?? state;
}
