import { parseBccRow } from '../../formats/tcptracer.ts';
import type { Tracer } from '../tcptracer.ts';
import { bccEnvironment, bccTool, bccVersion } from './tool.ts';

/** BCC's tcptracer (tcptracer(8)): kprobes on the functions that connect, accept and close. */
export const BCC_TCPTRACER: Tracer = {
  name: 'bcc tcptracer',
  argv: () => [bccTool('tcptracer'), '-t', '-v'],
  env: bccEnvironment,
  version: bccVersion,
  parse: parseBccRow,
  resolution: 1,
  commLength: Number.POSITIVE_INFINITY,
};
