import { cpuOf, hostOfCpu, hostOfPid, pidOf } from '../../common/host-keys.ts';
import { visible } from '../../common/text.ts';

/** `nginx(812)`: a task as its host knows it, whatever number it has among those of several hosts. */
export function taskName(comm: string, pid: number): string {
  return `${visible(comm)}(${pidOf(pid)})`;
}

/** The same before which the host stands, where there are several. */
export function hostTaskName(hosts: readonly string[] | undefined, comm: string, pid: number): string {
  const name = taskName(comm || '?', pid);
  // The idle tasks of all hosts have one number.
  return hosts === undefined || pid <= 0 ? name : `${visible(hosts[hostOfPid(pid)] ?? '?')} ${name}`;
}

export function cpuName(hosts: readonly string[] | undefined, cpu: number): string {
  const name = `cpu ${cpuOf(cpu)}`;
  return hosts === undefined ? name : `${visible(hosts[hostOfCpu(cpu)] ?? '?')} ${name}`;
}
