import { clearStaleTempDirs } from '../common/temp.ts';
import { clearStaleBccProbes } from './bcc/note.ts';
import { clearStaleInstances } from './ftrace/instance.ts';
import { clearStaleSessions } from './iosnoop/session.ts';
import { clearStaleProbes } from './perf/uprobes.ts';
import { endStaleTools } from './stale-tools.ts';

/**
 * Clears what earlier runs left behind when they were killed: tools, tracefs instances, probes, settings of the global
 * trace and temporary directories whose MARPLE is dead. Never a `.partial`: that is data. Returns a sentence for each kind that was found.
 */
export async function clearLeftovers(): Promise<string[]> {
  const found: string[] = [];
  const tools = await endStaleTools();
  if (tools.ended > 0) found.push(`ended ${tools.ended} tool${plural(tools.ended)} of an earlier run that was killed`);
  if (tools.busy.length > 0) {
    found.push(`tools of an earlier run that was killed still complete their files: pid ${tools.busy.join(', ')}`);
  }
  const instances = await clearStaleInstances();
  if (instances > 0)
    found.push(`removed ${instances} tracefs instance${plural(instances)} of an earlier run that was killed`);
  const probes = clearStaleProbes() + (await clearStaleBccProbes());
  if (probes > 0) found.push(`removed ${probes} probe${plural(probes)} of an earlier run that was killed`);
  if (clearStaleSessions() > 0)
    found.push('put the global trace back to what it was before an earlier run that was killed');
  const folders = clearStaleTempDirs();
  if (folders > 0)
    found.push(`removed ${folders} temporary folder${plural(folders)} of an earlier run that was killed`);
  return found;
}

function plural(count: number): string {
  return count === 1 ? '' : 's';
}
