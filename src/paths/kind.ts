// What an interface probably is, by its name and the driver's kind. Names follow systemd.net-naming-scheme(7).

import type { PathKind } from '../config/config.ts';
import type { Link } from '../wire/rtnetlink.ts';

/** include/uapi/linux/if_arp.h: PPP, and devices that carry IP packets without a link layer, as modems do. */
const ARPHRD_PPP = 512;
const ARPHRD_RAWIP = 519;
const ARPHRD_NONE = 0xfffe;

const BY_NAME: readonly (readonly [RegExp, PathKind])[] = [
  [/^(wl|wifi|wlan|ath|ra\d)/, 'wifi'],
  [/^(ww|wwan|rmnet|usb|cell|lte|umts)/, 'cellular'],
  [/^(dsl|pppoe|atm|nas\d)/, 'dsl'],
  [/^(tun|tap|wg|ipsec|vpn|tailscale|zt)/, 'tunnel'],
  [/^(docker|br-|veth|virbr|cni|lxc|podman)/, 'virtual'],
  [/^(en|eth)/, 'ethernet'],
];
const TUNNELS: ReadonlySet<string> = new Set(['tun', 'wireguard', 'ipip', 'sit', 'gre', 'ip6tnl', 'vti', 'xfrm']);

/** A guess: only configuration knows. */
export function guessKind({ name, kind, hardware }: Link): PathKind {
  if (TUNNELS.has(kind)) return 'tunnel';
  if (kind === 'wwan' || hardware === ARPHRD_RAWIP) return 'cellular';
  const named = BY_NAME.find(([pattern]) => pattern.test(name))?.[1];
  if (named !== undefined) return named;
  if (hardware === ARPHRD_PPP) return 'dsl';
  return hardware === ARPHRD_NONE ? 'tunnel' : 'unknown';
}
