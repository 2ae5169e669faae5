import { plural, visible } from '../../common/text.ts';
import { type Filter, hostFilter, hostsIn, isHostFilter } from './filters.ts';
import type { PageData } from './model.ts';

interface HostsProps {
  readonly data: PageData;
  readonly filters: readonly Filter[];
  /** Sets the hosts that are in; undefined for all. */
  readonly onChange: (filter: Filter | undefined) => void;
  /** Whether there is a lane for each host; undefined where there are no lanes. */
  readonly lanes?: { readonly perHost: boolean; readonly set: (perHost: boolean) => void };
}

/** All hosts: a click on one shows it alone at first, then brings others in and takes them out. */
export function Hosts({ data, filters, onChange, lanes }: HostsProps) {
  const { hosts, findings } = data.manifest;
  if (hosts === undefined) return null;
  const chosen = hostsIn(filters, hosts);
  const isIn = new Set(chosen ?? hosts);
  const outliers = new Set(
    findings.flatMap(({ select }) => select.flatMap((filter) => (isHostFilter(filter) ? filter.values : []))),
  );
  const click = (host: string): void => {
    if (chosen === undefined) onChange(hostFilter([host]));
    else {
      const next = hosts.filter((other) => (other === host ? !isIn.has(host) : isIn.has(other)));
      onChange(next.length === 0 || next.length === hosts.length ? undefined : hostFilter(next));
    }
  };
  return (
    <section class="bar hosts" aria-label="Hosts">
      <span class="faint">{plural(hosts.length, 'host')}</span>
      <span class="chips">
        {hosts.map((host) => (
          <button
            type="button"
            key={host}
            class={outliers.has(host) ? 'outlier' : ''}
            aria-pressed={chosen !== undefined && isIn.has(host)}
            title={titleOf(visible(host), chosen === undefined, isIn.has(host), outliers.has(host))}
            onClick={() => click(host)}
          >
            {visible(host)}
          </button>
        ))}
      </span>
      <button type="button" disabled={chosen === undefined} onClick={() => onChange(undefined)}>
        All hosts
      </button>
      {lanes !== undefined && (
        <span class="group">
          Lanes:
          <button type="button" aria-pressed={!lanes.perHost} onClick={() => lanes.set(false)}>
            together
          </button>
          <button type="button" aria-pressed={lanes.perHost} onClick={() => lanes.set(true)}>
            each host
          </button>
        </span>
      )}
    </section>
  );
}

function titleOf(host: string, isAll: boolean, isIn: boolean, isOutlier: boolean): string {
  const what = isAll ? `Only ${host}` : isIn ? `Without ${host}` : `${host} too`;
  return isOutlier ? `${what}. It stands out, see the findings` : what;
}

interface ByHostProps {
  readonly data: PageData;
  readonly isOn: boolean;
  readonly onChange: (isOn: boolean) => void;
}

/** Sets each host apart, or merges them; nothing where there is one. */
export function ByHostButton({ data, isOn, onChange }: ByHostProps) {
  if (data.manifest.hosts === undefined) return null;
  return (
    <button
      type="button"
      aria-pressed={isOn}
      onClick={() => onChange(!isOn)}
      title="Each host by itself, or all merged"
    >
      By host
    </button>
  );
}
