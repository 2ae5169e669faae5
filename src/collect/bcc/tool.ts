import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { UnavailableError } from '../../common/errors.ts';
import { findExecutable } from '../../common/executables.ts';
import { installRoot } from '../../common/paths.ts';
import { runTool } from '../../common/process.ts';

/** BCC's tools are for the system's own Python. */
const PYTHON = '/usr/bin/python3';

/** A BCC tool: as ./setup.sh links it, else as the package installs it. @throws UnavailableError where it is missing. */
export function bccTool(name: string): string {
  const candidates = [join(installRoot(), 'vendor/bcc-tools', name), `${name}-bpfcc`, `/usr/share/bcc/tools/${name}`];
  for (const candidate of candidates) {
    const path = findExecutable(candidate, { optional: true });
    if (path !== undefined) return path;
  }
  throw new UnavailableError(`BCC's ${name} is not installed`, './setup.sh');
}

/** Its output comes line by line, and it compiles for the version of the kernel headers that it finds, whatever runs. */
export function bccEnvironment(): Record<string, string> {
  const version = headersVersion();
  return { PYTHONUNBUFFERED: '1', ...(version === undefined ? {} : { BCC_LINUX_VERSION_CODE: version }) };
}

export async function bccVersion(): Promise<string> {
  const { stdout } = await runTool([PYTHON, '-c', 'import bcc; print(bcc.__version__)']);
  return stdout.trim();
}

// #define LINUX_VERSION_CODE 396288
function headersVersion(): string | undefined {
  try {
    const path = `/lib/modules/${release()}/build/include/generated/uapi/linux/version.h`;
    return /^#define LINUX_VERSION_CODE (\d+)$/mu.exec(readFileSync(path, 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}
