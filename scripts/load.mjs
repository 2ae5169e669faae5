// What collecting costs, and keeps, on a machine that is loaded: npm run load -- [NAME ...] [--seconds N]. As root.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '20' } },
});
const seconds = Number(values.seconds);
const folder = mkdtempSync(join(tmpdir(), 'marple-load-'));
const started = new Set();

/** Compiles a program of test/programs. */
function compiled(name) {
  const program = join(folder, name);
  execFileSync('gcc', ['-O1', '-o', program, join('test/programs', `${name}.c`), '-pthread']);
  return program;
}

function say(line) {
  process.stdout.write(`${line}\n`);
}

function start(program, args, stdio = ['pipe', 'pipe', 'inherit']) {
  const child = spawn(program, args, { stdio, cwd: folder });
  started.add(child);
  child.once('exit', () => started.delete(child));
  return child;
}

async function firstLine(child) {
  const [chunk] = await once(child.stdout, 'data');
  return chunk.toString().trim();
}

/** Resident memory of a process and its children, MiB, and the CPU seconds of the process. */
function usage(pid) {
  const resident = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return { resident, cpu: (Number(stat[11]) + Number(stat[12])) / 100 };
}

/** Collects while the load goes on; gives what MARPLE said, what it needed, and the headers of its file. */
async function collectDuring(what, load) {
  const file = join(folder, 'x.marple');
  rmSync(file, { force: true });
  const marple = start(
    process.execPath,
    [join(process.cwd(), 'dist/marple.cjs'), 'collect', ...what, '-t', '100000', '-o', file],
    ['ignore', 'ignore', 'pipe'],
  );
  let said = '';
  marple.stderr.on('data', (chunk) => {
    said += chunk;
  });
  while (!said.includes('recording')) {
    if (marple.exitCode !== null) throw new Error(said);
    await sleep(50);
  }
  const samples = [];
  const from = performance.now();
  const watch = setInterval(() => samples.push({ at: (performance.now() - from) / 1000, ...usage(marple.pid) }), 1000);
  const result = await load();
  clearInterval(watch);
  const recorded = usage(marple.pid);
  const stopping = performance.now();
  marple.kill('SIGINT');
  const [code] = await once(marple, 'exit');
  const finishing = (performance.now() - stopping) / 1000;
  const headers = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
  return { result, code, said, samples, recorded, finishing, headers, size: statSync(file).size, file };
}

function tell(name, { code, samples, recorded, finishing, headers, size, said }, elapsed) {
  const of = (i) => samples[Math.min(samples.length - 1, Math.max(0, i))]?.resident ?? recorded.resident;
  say(
    `${name}: exit ${code}, ${elapsed.toFixed(1)} s, then ${finishing.toFixed(1)} s to the file of ${(size / 1e6).toFixed(1)} MB`,
  );
  say(
    `  MARPLE while it recorded: ${((100 * recorded.cpu) / elapsed).toFixed(1)} % of a CPU, resident ${of(2).toFixed(0)} MiB after 3 s, ${of(Math.floor(samples.length / 2)).toFixed(0)} at half, ${of(samples.length).toFixed(0)} at the end`,
  );
  say(`  own cost in the file: ${JSON.stringify(headers[0]?.overhead)}`);
  for (const { interface: of, datatype, records, lost, skipped } of headers) {
    say(
      `  ${of} ${datatype}: ${records} records${lost ? `, ${lost} lost` : ''}${skipped ? `, ${skipped} skipped` : ''}`,
    );
  }
  for (const line of said.split('\n').filter((each) => /^warning|^marple/.test(each))) say(`  ${line}`);
}

const LOADS = {
  /** Everything at once, while CPUs, a disk and the network have work. */
  async all() {
    const stress = () =>
      start(
        'stress-ng',
        [
          '--quiet',
          '--cpu',
          '1',
          '--hdd',
          '1',
          '--hdd-bytes',
          '64m',
          '--temp-path',
          folder,
          '--sock',
          '1',
          '--switch',
          '1',
          '--malloc',
          '1',
          '--malloc-bytes',
          '64m',
          '-t',
          `${seconds}`,
        ],
        'ignore',
      );
    const what = [
      '--cpu=sched,stacks,off',
      '--disk=latency,block_requests',
      '--ipc',
      '--mem=usage,events,map',
      '--system',
    ];
    const from = performance.now();
    const collected = await collectDuring(what, async () => void (await once(stress(), 'exit')));
    tell('everything at once', collected, (performance.now() - from) / 1000 - collected.finishing);
  },
  /** So many processes that the sweeps of /proc take long. */
  async processes() {
    const idle = start(compiled('starts'), ['idle', '10000']);
    say(`${await firstLine(idle)} idle processes`);
    const from = performance.now();
    const collected = await collectDuring(['--cpu=sched,stacks', '--disk', '--mem', '--system'], () =>
      sleep(seconds * 1000),
    );
    tell('10,000 processes', collected, (performance.now() - from) / 1000 - collected.finishing);
    idle.stdin.end();
    await once(idle, 'exit');
  },
  /** 1,000 programs started a second. */
  async starts() {
    const program = compiled('starts');
    const from = performance.now();
    const collected = await collectDuring(['--cpu=sched,stacks,off', '--mem', '--system'], async () => {
      const child = start(program, ['1000', `${seconds}`, '/bin/true']);
      const made = Number(await firstLine(child));
      return made;
    });
    tell('1,000 processes a second', collected, (performance.now() - from) / 1000 - collected.finishing);
    const lines = readFileSync(collected.file, 'latin1');
    say(
      `  started ${collected.result}, of which the file has ${(lines.match(/^\d+,exec,\d+,\d+,true,/gm) ?? []).length} as exec`,
    );
  },
  /** As many connections as a server and a client come to. */
  async connections() {
    const program = compiled('tcp');
    const from = performance.now();
    let made = 0;
    const collected = await collectDuring(['--ipc', '--system'], async () => {
      const end = performance.now() + seconds * 1000;
      while (performance.now() < end) {
        const server = start(program, ['serve', 'loadserver', '127.0.0.1', '0', 'plain', '5000', '10', '10']);
        const port = (await firstLine(server)).split(' ')[1];
        const client = start(program, ['connect', 'loadclient', '127.0.0.1', port, '5000', '10', '10']);
        await Promise.all([once(client, 'exit'), once(server, 'exit')]);
        made += 5000;
      }
      return made;
    });
    const elapsed = (performance.now() - from) / 1000 - collected.finishing;
    tell(`${Math.round(made / seconds)} connections a second`, collected, elapsed);
    const lines = readFileSync(collected.file, 'latin1');
    say(`  made ${made}, of which the file has ${(lines.match(/^\d+,connect,\d+,loadclient,/gm) ?? []).length}`);
  },
};

process.on('exit', () => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));
const names = positionals.length > 0 ? positionals : Object.keys(LOADS);
for (const name of names) await LOADS[name]();
