import { findExecutable } from '../../common/executables.ts';
import { runTool } from '../../common/process.ts';
import { parseLibbpfRow } from '../../formats/tcptracer.ts';
import type { Tracer } from '../tcptracer.ts';

/** The tcptracer of libbpf-tools, which needs no kernel headers. Into a pipe it prints by the block, but for stdbuf(1). */
export const LIBBPF_TCPTRACER: Tracer = {
  name: 'libbpf tcptracer',
  argv: () => [findExecutable('stdbuf'), '-oL', findExecutable('tcptracer'), '-t'],
  env: () => ({}),
  version: async () => (await runTool(['tcptracer', '--version'])).stdout.trim().replace(/^tcptracer /u, ''),
  parse: parseLibbpfRow,
  resolution: 1e6,
  commLength: 12,
};
