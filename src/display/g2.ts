import { spawn } from 'node:child_process';
import { delimiter, resolve } from 'node:path';
import * as z from 'zod';
import { errorMessage } from '../common/errors.ts';
import { findExecutable } from '../common/executables.ts';
import { makeTempDir } from '../common/temp.ts';
import { joinWords } from '../common/text.ts';
import { invokingUser } from '../common/user.ts';
import { countsOf, draftEvents, eventLog } from '../formats/cpel-events.ts';
import { writeCpel } from '../formats/cpel-writer.ts';
import { GenericDisplay, type Rendered, SIGNATURE, type ViewDescription } from './generic-display.ts';
import { viewerCommand } from './opener.ts';
import { chooseTracks, TRACK_CHOICES, trackKinds } from './shape/track-choice.ts';

const optionsSchema = z.strictObject({
  /** What the tracks are: tasks (pid) or CPUs; auto takes tasks where the events name them. */
  track: z.enum(TRACK_CHOICES).default('auto'),
  /** Path of the G2 program; empty: looked for in PATH. */
  program: z.string().default(''),
});

export type G2Options = z.infer<typeof optionsSchema>;

/** An event log for the G2 viewer of FD.io VPP, which is started where it is installed. */
export class G2 extends GenericDisplay<G2Options> {
  static readonly description: ViewDescription<'g2', G2Options> = {
    name: 'g2',
    flag: '-g2',
    long: '--g2',
    summary: 'event log for the G2 viewer (CPEL)',
    formats: ['cpel'],
    options: optionsSchema,
    hasTracks: true,
    fits: (header) => trackKinds(header).length > 0,
  };

  /** G2 shows nothing of events that are all at one time. */
  #hasExtent = false;

  override async render(): Promise<Rendered> {
    const { group, section, filter, options } = this.job;
    const unused = (['title', 'width', 'height'] as const).filter((name) => this.job[name] !== undefined);
    if (unused.length > 0) {
      const flags = joinWords(unused.map((name) => `--${name}`));
      this.notes.push(`${flags} ${unused.length > 1 ? 'are' : 'is'} not used: an event log has no place for it`);
    }
    const tracks = chooseTracks(section.header, this.job.track ?? options.track);
    const log = eventLog(group, section, filter, tracks, SIGNATURE);
    const { draft, notes } = await draftEvents(log, section, filter, makeTempDir());
    this.#hasExtent = draft.summary.duration > 0;
    this.notes.push(countsOf(draft.summary), ...notes);
    return writeCpel(draft);
  }

  protected override async open(path: string): Promise<string | undefined> {
    if (!this.#hasExtent) return 'not opened: G2 draws nothing of events that are all at one time';
    const program = findG2(this.job.options.program, process.env['PATH'] ?? '');
    if (program === undefined) {
      return 'not opened: G2 is not installed (docs/g2.md says where to get it), and [g2] program in config.txt does not name it';
    }
    return startG2(program, resolve(path));
  }
}

/** The G2 program: where config says, else in PATH or the system's folders. */
export function findG2(configured: string, path: string): string | undefined {
  if (configured !== '') return findExecutable(configured, { optional: true });
  for (const folder of path.split(delimiter)) {
    // A relative folder would let whoever owns the current one choose what is run.
    const found = folder.startsWith('/') ? findExecutable(`${folder}/g2`, { optional: true }) : undefined;
    if (found !== undefined) return found;
  }
  return findExecutable('g2', { optional: true });
}

/** Starts G2 as the invoking user and does not wait for it. */
function startG2(program: string, path: string): Promise<string | undefined> {
  const [name, ...args] = viewerCommand(program, process.getuid?.() ?? 0, invokingUser(), process.env);
  return new Promise((done) => {
    const child = spawn(name as string, [...args, '--cpel-input', path], { detached: true, stdio: 'ignore' });
    child.once('error', (error) => done(`not opened: ${errorMessage(error)}`));
    child.once('spawn', () => {
      child.unref();
      done(undefined);
    });
  });
}
