import type { Datapoint, EventData } from '../../src/common/datatypes.ts';
import { headerOf, type TestSection } from './data-files.ts';

const SECONDS = 25;
const NGINX = 1234;
const FIO = 1240;

/** A little of everything that the docs look at, of 25 s in which nginx and fio ran; `load` is how busy fio is. */
export function sections(load = 1): TestSection[] {
  const run = { end: '2026-03-01T09:30:25.000Z' };
  const time = { label: 'time', unit: 's' };
  const samples = Array.from({ length: SECONDS * 10 }, (_, i): EventData => {
    const stack = i % (1 + load) === 0 ? 0 : 1;
    const pid = String(stack === 0 ? NGINX : FIO);
    return { time: i * 100_000_000, type: 'cpu-clock', datum: [String(stack), '0', pid, pid, '1'] };
  });
  const weigh = (stack: string): number => samples.filter(({ datum }) => datum[0] === stack).length;
  const ios = Array.from({ length: SECONDS * 10 }, (_, i): Datapoint => {
    const [comm, pid] = i % 5 === 0 ? ['nginx', NGINX] : ['fio', FIO];
    const info = [comm, String(pid), String(pid), 'R', 'vda', String(8 * i), '4096', comm === 'fio' ? '0' : ''];
    return { x: i / 10, y: load * (1 + (i % 10)), info: info.map(String) };
  });
  const switches = Array.from({ length: SECONDS * 10 }, (_, i): EventData[] => [
    { time: i * 1e8, type: 'switch', datum: ['0', '0', 'swapper/0', String(FIO), 'fio', 'R'] },
    { time: i * 1e8 + 5e7, type: 'switch', datum: ['0', String(FIO), 'fio', String(NGINX), 'nginx', 'D'] },
    { time: i * 1e8 + 9e7, type: 'switch', datum: ['0', String(NGINX), 'nginx', '0', 'swapper/0', 'S'] },
  ]).flat();
  const memory = Array.from({ length: SECONDS }, (_, x): Datapoint[] => [
    { x, y: 50 + 2 * x, info: ['nginx', String(NGINX)] },
    { x, y: 30, info: ['fio', String(FIO)] },
  ]).flat();
  return [
    {
      header: headerOf('event', {
        ...run,
        interface: 'cpusched',
        fields: ['cpu', 'pid', 'comm', 'other_pid', 'other_comm', 'state'],
      }),
      records: switches,
    },
    {
      header: headerOf('stack', { ...run, interface: 'callstack', weight: { label: 'samples', unit: 'samples' } }),
      records: [
        { weight: weigh('0'), stack: ['nginx', 'main', 'handle_request'] },
        { weight: weigh('1'), stack: ['fio', 'main', 'io_u_submit'] },
      ],
    },
    {
      header: headerOf('event', {
        ...run,
        interface: 'callstack',
        fields: ['stack', 'cpu', 'pid', 'tid', 'weight'],
      }),
      records: samples,
    },
    {
      header: headerOf('datapoint', {
        ...run,
        interface: 'disklat',
        x: time,
        y: { label: 'latency', unit: 'ms' },
        fields: ['comm', 'pid', 'tid', 'op', 'dev', 'sector', 'bytes', 'stack'],
      }),
      records: ios,
    },
    {
      header: headerOf('stack', { ...run, interface: 'disklat', weight: { label: 'I/Os', unit: 'I/Os' } }),
      records: [{ weight: ios.filter(({ info }) => info[0] === 'fio').length, stack: ['fio', 'main', 'io_u_submit'] }],
    },
    {
      header: headerOf('datapoint', {
        ...run,
        interface: 'memtime',
        x: time,
        y: { label: 'PSS', unit: 'MiB' },
        fields: ['comm', 'pid'],
      }),
      records: memory,
    },
    {
      header: headerOf('datapoint', {
        ...run,
        interface: 'system',
        x: time,
        y: { label: 'memory', unit: 'MiB' },
        fields: ['use'],
      }),
      records: Array.from({ length: SECONDS }, (_, x): Datapoint => ({ x, y: 100 + x, info: ['buffers'] })),
    },
  ];
}
