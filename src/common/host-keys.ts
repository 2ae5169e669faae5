/*
 * Pids and CPUs of several hosts in one section. Every host has a process 1 and a CPU 0, so they are given numbers there that no
 * other host has: whatever tells processes apart by pid, or CPUs by number, then tells those of different hosts apart too. Those of
 * the first host stay as they are; people are shown the host and the number that it has there.
 */

/** Above every pid (PID_MAX_LIMIT is 2^22), and not below the number of CPUs of any kernel (NR_CPUS is at most 2^13). */
const PIDS = 2 ** 23;
const CPUS = 2 ** 13;

/** So that every number fits into 32 bits. */
export const MOST_KEYED_HOSTS = 255;

/** Above every pid of any host. */
export const ALL_PIDS = 2 ** 31;

/** The fields whose values are numbers of tasks or CPUs of a host. */
const PID_FIELDS = new Set(['pid', 'tid', 'other_pid']);
const CPU_FIELDS = new Set(['cpu']);

export function isHostKey(field: string): boolean {
  return PID_FIELDS.has(field) || CPU_FIELDS.has(field);
}

/** The number of a task among those of all hosts. The idle task, 0, is the same everywhere. */
export function pidKey(host: number, pid: number): number {
  return pid > 0 ? host * PIDS + pid : pid;
}

export function cpuKey(host: number, cpu: number): number {
  return cpu >= 0 ? host * CPUS + cpu : cpu;
}

/** The number that the task has on its host. */
export function pidOf(key: number): number {
  return key > 0 ? key % PIDS : key;
}

export function cpuOf(key: number): number {
  return key >= 0 ? key % CPUS : key;
}

/** The place of a task's host in the header's `hosts`. */
export function hostOfPid(key: number): number {
  return key > 0 ? Math.floor(key / PIDS) : 0;
}

export function hostOfCpu(key: number): number {
  return key >= 0 ? Math.floor(key / CPUS) : 0;
}

/** The value of a field of a record of a host, as a number. */
export function keyOf(field: string, host: number, value: number): number {
  return CPU_FIELDS.has(field) ? cpuKey(host, value) : pidKey(host, value);
}

/** The same of a text; what is no whole number stays as it is. */
export function keyText(field: string, host: number, text: string): string {
  return host > 0 && /^\d{1,10}$/.test(text) ? String(keyOf(field, host, Number(text))) : text;
}

/** A value of a field as the host has it, and the place of its host where it tells that. */
export function hostValue(field: string, text: string): { readonly value: string; readonly host: number | undefined } {
  if (!isHostKey(field) || !/^\d+$/.test(text)) return { value: text, host: undefined };
  const key = Number(text);
  return CPU_FIELDS.has(field)
    ? { value: String(cpuOf(key)), host: hostOfCpu(key) }
    : { value: String(pidOf(key)), host: key === 0 ? undefined : hostOfPid(key) };
}
