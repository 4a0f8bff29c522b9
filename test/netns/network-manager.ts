// A real NetworkManager on a host of the lab, with a D-Bus of its own. It sees nothing of the machine's: its state and what
// it is told lie in a mount namespace that goes with it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import type { Host, HostProcess } from '#anabranch/lab/host.js';

/** Where the two expect things that only they may have. With /sys for reading only, it does not wait for udev. */
const INSIDE = `set -e
mount --make-rprivate /
mount -t tmpfs none /run
mkdir -p /run/dbus /run/nm
mount -t tmpfs none /var/lib/NetworkManager
mount -t sysfs -o ro none /sys
cp -r "$1/connections" /run/nm/connections
chmod -R go= /run/nm
dbus-daemon --config-file="$1/bus.conf" --nofork --nopidfile &
bus=$!
trap 'kill $manager $bus; wait' EXIT
trap 'exit 0' TERM
until [ -S /run/dbus/system_bus_socket ]; do kill -0 $bus; sleep 0.02; done
NetworkManager --no-daemon --config="$1/nm.conf" --config-dir=/run/nm/none --intern-config=/run/nm/intern \
  --state-file=/run/nm/state --pid-file=/run/nm/pid &
manager=$!
echo "manager $manager"
wait $manager
`;

const BUS = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
`;

const CONFIG = (managed: string): string => `[main]
plugins=keyfile
dhcp=internal
dns=none
rc-manager=unmanaged
hostname-mode=none
auth-polkit=false
no-auto-default=*
[keyfile]
path=/run/nm/connections
unmanaged-devices=*,except:interface-name:${managed}
`;

export interface ManagedInterface {
  readonly name: string;
  /** With its prefix. */
  readonly address: string;
  readonly gateway: string;
}

/** Ends with the test. `mptcpFlags` as in nm-settings(5), connection.mptcp-flags. */
export function startNetworkManager(
  t: TestContext,
  host: Host,
  folder: string,
  { name, address, gateway }: ManagedInterface,
  mptcpFlags: number,
): HostProcess {
  const lines = [
    '[connection]',
    `id=${name}`,
    'uuid=11111111-1111-4111-8111-111111111111',
    'type=ethernet',
    `interface-name=${name}`,
    `mptcp-flags=${mptcpFlags}`,
    '[ipv4]',
    'method=manual',
    `address1=${address},${gateway}`,
    '[ipv6]',
    'method=disabled',
    '',
  ];
  mkdirSync(join(folder, 'connections'), { recursive: true });
  writeFileSync(join(folder, 'connections', `${name}.nmconnection`), lines.join('\n'), { mode: 0o600 });
  writeFileSync(join(folder, 'bus.conf'), BUS);
  writeFileSync(join(folder, 'nm.conf'), CONFIG(name));
  // A host name it may set is its own.
  const program = host.spawn(['unshare', '--mount', '--uts', 'sh', '-c', INSIDE, 'sh', folder]);
  t.after(async () => {
    program.kill();
    await program.exited;
  });
  return program;
}
