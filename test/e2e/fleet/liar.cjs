// A host that means no good: it speaks as a MARPLE does, and sends something else, by its name.
const { createInterface } = require('node:readline');
const { gzipSync } = require('node:zlib');
const { hostname } = require('node:os');

const name = hostname();
// Twins have one number.
let id = Buffer.from(name.slice(0, 4).padEnd(8)).toString('hex');
const print = (line) => process.stdout.write(`${line}\n`);
const say = (message) => print(`marple-fleet ${JSON.stringify(message)}`);
const send = (bytes) => {
  for (let at = 0; at < bytes.length; at += 48 * 1024)
    print(`marple-fleet:${bytes.subarray(at, at + 48 * 1024).toString('base64')}`);
};
const header = {
  marple: 1,
  interface: 'system',
  datatype: 'datapoint',
  start: '2026-01-01T00:00:00.000Z',
  end: '2026-01-01T00:00:01.000Z',
  node: 'somebody-else',
};
const result = (warning) => ({
  seconds: 1,
  sections: [
    {
      interface: 'system',
      datatype: 'datapoint',
      records: 1,
      lost: 0,
      skipped: 0,
      tool: 'x',
      warnings: [warning],
      notes: [],
    },
  ],
  failures: [],
  tools: {},
  command_status: null,
});

const FILES = {
  // 64 GB of zeros would be 64 MB; some of it is enough.
  bomb: () => gzipSync(Buffer.alloc(400_000_000)),
  junk: () => gzipSync(Buffer.from('\x1b[2Jno data file\n')),
  torn: () => gzipSync(Buffer.alloc(1_000_000, 'x')).subarray(0, 500),
  other: () => gzipSync(`${JSON.stringify(header)}\n1,2,\n`),
};

function hear(line) {
  const message = JSON.parse(line);
  if (message.is === 'request') {
    if (name === 'babbler') {
      for (let i = 0; i < 200_000; i++) print(`${i} \x1b]0;title\x07 noise`);
      process.stdout.write('x'.repeat(8_000_000));
      print('\nmarple-fleet {"is":"ready","is":[]}');
      print('marple-fleet-got 99999999');
      process.exit(0);
    }
    say({ is: 'hello', protocol: 1, version: '9\x1b[31m', id });
    say({ is: 'ready' });
  }
  if (message.is === 'time') {
    // It takes the number of another host, which all hear.
    if (name === 'copycat' && id !== message.ids[0]) {
      id = message.ids[0];
      say({ is: 'hello', protocol: 1, version: '1', id });
      say({ is: 'ended', code: 0, result: null });
      say({ is: 'file', kind: 'data', cut: false });
      return;
    }
    if (!message.ids.includes(id)) return;
    say({ is: 'time', round: message.round, received: '99999999999999999999', sent: '0', error: 0 });
    say({ is: 'time', round: message.round, received: `${Date.now()}000000`, sent: `${Date.now()}000000`, error: 0 });
  }
  if (message.is === 'start') {
    say({ is: 'recording' });
    say({ is: 'said', on: 'stderr', text: 'marple: \x1b[2J\x1b[31mred' });
    say({ is: 'ended', code: 0, result: result('a \x1b[31mwarning') });
  }
  if (message.is === 'send' && message.ids.includes(id)) {
    const bytes = FILES[name]?.() ?? Buffer.alloc(0);
    say({ is: 'file', kind: name === 'torn' ? 'partial' : 'data', cut: false, path: '../../../../tmp/escaped' });
    send(bytes);
    say({ is: 'whole', bytes: bytes.length });
  }
}

createInterface({ input: process.stdin })
  .on('line', hear)
  .on('close', () => process.exit(0));
