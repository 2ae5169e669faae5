import { pidKey } from '../../common/host-keys.ts';
import type { DataFile } from '../../common/reader.ts';
import { type Filter, groupSections, type SectionGroup } from '../select.ts';
import { type Fleet, fleetsOf } from './fleet.ts';
import { filesOfHosts, hostOf } from './hosts.ts';
import { type JoinOptions, joinGroups } from './joined.ts';

/** What is looked at as one: a file, or files of several hosts that belong together. */
export interface DataSet {
  /** The file, as messages name it; of several hosts the folder, or the first of the files. */
  readonly path: string;
  /** One, or those of all hosts, on one clock. */
  readonly files: readonly DataFile[];
  /** The hosts in the order of `files`; undefined where it is one file. */
  readonly hosts: readonly string[] | undefined;
  /** What is to be known of all of it: one sentence each. */
  readonly notes: readonly string[];
}

/**
 * Files, those of several hosts that were collected at the same time together and on one clock.
 * @param patterns the hosts that are asked for (filesOfHosts), undefined for all.
 * @throws UsageError (2) where there is no such host.
 */
export function dataSets(files: readonly DataFile[], patterns?: readonly string[]): DataSet[] {
  const split = files.flatMap(byHost);
  const wanted = patterns === undefined ? split : filesOfHosts(split, patterns);
  return fleetsOf(wanted).map((each) =>
    'members' in each ? fleetSet(each) : { path: each.path, files: [each], hosts: undefined, notes: [] },
  );
}

/** The files of a set by themselves, still on its clock. */
export function hostSets({ files, notes }: DataSet): DataSet[] {
  return files.map((file) => ({ path: file.path, files: [file], hosts: undefined, notes }));
}

function fleetSet({ path, members, notes }: Fleet): DataSet {
  return {
    path,
    files: members.map(({ file }) => file),
    hosts: members.map(({ host }) => host),
    notes,
  };
}

/** A file into which those of several hosts were put, one behind the other, as one for each. */
function byHost(file: DataFile): DataFile[] {
  const hosts = new Set(file.sections.map(({ header }) => hostOf(header)));
  if (hosts.size < 2) return [file];
  return [...hosts].map((host) => ({
    ...file,
    sections: file.sections.filter(({ header }) => hostOf(header) === host),
  }));
}

/** The sections that were picked, or all, by interface; those of several hosts joined. */
export function groupsOf(
  { files, hosts }: DataSet,
  picked?: ReadonlySet<number>,
  options: JoinOptions = { isForViews: true },
): SectionGroup[] {
  const groups = files.map(({ sections }) => groupSections(sections, picked));
  return hosts === undefined
    ? groups.flat()
    : joinGroups(
        groups.map((own, i) => ({ host: hosts[i]!, groups: own })),
        options,
      );
}

/** A filter for sections in which pids are numbers of all hosts (host-keys.ts): a pid is that of any host. */
export function filterOfAll({ hosts }: DataSet, filter: Filter): Filter {
  if (hosts === undefined || filter.pids === undefined) return filter;
  return { ...filter, pids: filter.pids.flatMap((pid) => hosts.map((_, host) => pidKey(host, pid))) };
}
