import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';

/*
 * What a browser may call the server. A page of some website can give its own name the address of this machine after it was
 * loaded (DNS rebinding), and would then read what is served here: its requests still have its name in their Host header.
 */

/** Names and addresses, lower case, of a server that listens at `address`, as `host` asked for. */
export function hostNames(host: string, address: string): ReadonlySet<string> {
  const own = [host, address];
  if (isLoopback(address)) own.push('localhost');
  else own.push(hostname());
  if (address === '0.0.0.0' || address === '::') {
    own.push('localhost');
    for (const entries of Object.values(networkInterfaces()))
      for (const entry of entries ?? []) own.push(entry.address);
  }
  return new Set(own.map((name) => name.toLowerCase()));
}

export function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/** The name in a Host header: `localhost:6277`, `[::1]`. Whatever the port: it may be that of a tunnel. */
export function hostOf(header: string | undefined): string | undefined {
  const { ipv6, name } =
    /^(?:\[(?<ipv6>[0-9a-f:.]+)\]|(?<name>[^:[\]\s]+))(?::\d{1,5})?$/i.exec(header ?? '')?.groups ?? {};
  return (ipv6 ?? name)?.toLowerCase();
}

/** A host as it stands in an address. */
export function inAddress(host: string): string {
  return isIP(host) === 6 ? `[${host}]` : host;
}
