// Loaded into a process with --require: when it ends, its largest resident memory (kB) is written to the file MARPLE_PEAK.
// Not getrusage(2): that counts the memory of whoever started it, too.
const { readFileSync, writeFileSync } = require('node:fs');

process.on('exit', () => {
  const [, peak] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'latin1'));
  writeFileSync(process.env.MARPLE_PEAK, peak);
});
