/** Events of the scheduler that are about the task in other_pid: it comes to run, is woken, or moved. */
const ABOUT_OTHER: ReadonlySet<string> = new Set(['switch', 'wakeup', 'wakeup_new', 'migrate']);

/** Whether an event belongs to the track of its other_pid, and not of its pid. Only scheduler events have such. */
export function isAboutOther(type: string): boolean {
  return ABOUT_OTHER.has(type);
}
