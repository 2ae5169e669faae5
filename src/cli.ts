import { Output } from './common/output.ts';
import { VERSION } from './common/version.ts';

const argv = process.argv.slice(2);
const exit = (code: number): void => process.exit(code);

async function run(): Promise<number> {
  // Needs nothing of all the rest.
  if (argv.length === 1 && argv[0] === '--version') {
    new Output().result(VERSION);
    return 0;
  }
  const { main } = await import('./program.ts');
  return main(argv, exit);
}

void run().then(exit);
