import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { errorMessage } from '../common/errors.ts';
import { log } from '../common/log.ts';
import { copyRegular } from '../common/regular-file.ts';
import { HeaderReport } from '../common/report.ts';
import { ScopeFilter, TaskTable } from '../common/scope.ts';
import { encodeParts, FileSource } from './byte-source.ts';
import { decodeRecording } from './decoders.ts';
import { readElf, symbolParts } from './elf.ts';
import { stacksDataFile } from './issuer-stacks.ts';
import {
  debugFilePath,
  isJitMemory,
  KALLSYMS,
  KERNEL_NAME,
  type MappedFile,
  type Module,
  type ModuleSource,
  ownVdso,
  perfMapPath,
  readPerfMap,
  VDSO_NAME,
  wasReplaced,
  within,
} from './modules.ts';
import { PerfFile } from './perf-file.ts';
import { perfDataFile } from './perf-recording.ts';
import { followRecord } from './perf-samples.ts';
import { PerfSymbols } from './perf-symbols.ts';
import { type RunInfo, readRecording } from './recording.ts';

/*
 * What names of functions come from, taken along with recordings that are decoded elsewhere: of each program and library in
 * which an address of a stack lies the symbols, and the kernel's.
 */

/** What a recording's stacks lie in. */
type Finder = (dir: string, run: RunInfo, met: MetModules) => Promise<void>;

const inPerfData: Finder = (dir, run, met) => meetIn(perfDataFile(dir), run, met);
const inStacks: Finder = (dir, run, met) => meetIn(stacksDataFile(dir), run, met);
/** Where the addresses are in is only known when all of it is decoded. */
const whereItIsDecoded: Finder = async (dir, run, met) => {
  for await (const _ of decodeRecording(dir, { ...run, modules: met }, new HeaderReport()));
};

/** By the formats of recordings that have stacks. */
const FINDERS = new Map<string, Finder>([
  ['perf-callstack', inPerfData],
  ['perf-offcpu', inPerfData],
  ['ftrace-disklat', inStacks],
  ['bpftrace-disklat', inStacks],
  ['perf-disklat', inStacks],
  ['perf-stacks', whereItIsDecoded],
  ['bpftrace-stacks', whereItIsDecoded],
  ['bpftrace-offcpu', whereItIsDecoded],
]);

/** Settings that messages about stacks tell. */
const SETTINGS = ['/proc/sys/kernel/perf_event_paranoid', '/proc/sys/kernel/kptr_restrict'];

/**
 * Copies into `folder` what the names of all stacks in these recordings come from.
 * @returns a sentence for each file that could not be copied: its functions will have no names.
 */
export async function keepModules(recordings: readonly string[], run: RunInfo, folder: string): Promise<string[]> {
  const met = new MetModules();
  for (const dir of recordings) {
    const { format } = await readRecording(dir);
    await FINDERS.get(format)?.(dir, run, met);
  }
  mkdirSync(folder, { mode: 0o700 });
  const problems: string[] = [];
  const keep = (what: string, copy: () => void): void => {
    try {
      copy();
    } catch (error) {
      log('warn', 'symbols not kept', { what, error: errorMessage(error) });
      problems.push(`the symbols of ${what} are not kept: ${errorMessage(error)}`);
    }
  };
  for (const path of SETTINGS.filter((setting) => existsSync(setting))) copyText(path, folder);
  if (met.needsKernel) keep('the kernel', () => copyText(KALLSYMS, folder));
  if (met.needsVdso) keep(VDSO_NAME, () => writeFileSync(within(folder, VDSO_NAME), ownVdso()));
  // That there is no map of compiled code is as it mostly is.
  for (const pid of met.compiling) {
    const path = perfMapPath(pid);
    if (existsSync(path)) keep(path, () => write(within(folder, path), readPerfMap(pid)));
  }
  for (const { file, isWhole } of met.files.values()) {
    if (existsSync(file.path)) keep(file.path, () => copyProgram(file, isWhole, folder));
  }
  return problems;
}

/** Notes what names would be looked up in, and has none. */
class MetModules implements ModuleSource {
  needsKernel = false;
  needsVdso = false;
  readonly compiling = new Set<number>();
  readonly files = new Map<string, { readonly file: MappedFile; readonly isWhole: boolean }>();
  readonly #mapped = new Map<Module, MappedFile>();

  kernel(): Module {
    this.needsKernel = true;
    return { name: KERNEL_NAME, nameAt: () => undefined };
  }

  module(file: MappedFile): Module {
    const module: Module = { name: file.path, nameAt: () => this.meet(module) };
    this.#mapped.set(module, file);
    return module;
  }

  /** `isWhole`: more of the file than its symbols is needed. */
  meet(module: Module, isWhole = false): undefined {
    const file = this.#mapped.get(module);
    if (file === undefined) return;
    const { path, pid } = file;
    if (isJitMemory(path)) this.compiling.add(pid);
    else if (path === VDSO_NAME) this.needsVdso = true;
    else if (path.startsWith('/'))
      this.files.set(path, { file, isWhole: isWhole || this.files.get(path)?.isWhole === true });
  }
}

/** Records that are handled between two rests. */
const SLICE = 20_000;

/** What the stacks in a perf.data lie in, those of tasks in scope. */
async function meetIn(path: string, run: RunInfo, met: MetModules): Promise<void> {
  if (!existsSync(path)) return;
  const file = new PerfFile(path, 0n);
  const symbols = PerfSymbols.create(met);
  const tasks = new TaskTable(run.tasks);
  const filter = new ScopeFilter(run.scope, tasks);
  try {
    let rest = SLICE;
    for (const record of file.records()) {
      followRecord(record, symbols);
      if (record.kind === 'fork') {
        const { pid, tid, parentPid } = record;
        const isThread = pid !== tid;
        tasks.fork(tid, isThread ? pid : parentPid, isThread, symbols.commOf(tid));
      }
      if (record.kind === 'sample' && filter.keeps(record.pid, symbols.commOf(record.tid))) {
        symbols.frames(record);
        // perf unwinds copies of stacks by what is in the files, and where they lead is not known before.
        if (file.needsPerf) for (const module of symbols.modulesOf(record.pid)) met.meet(module, true);
      }
      if (--rest > 0) continue;
      rest = SLICE;
      await yieldToOthers();
    }
    if (file.needsPerf) met.kernel();
  } finally {
    file.close();
  }
}

function copyText(path: string, folder: string): void {
  write(within(folder, path), readFileSync(path));
}

function copyProgram({ path, inode, buildId }: MappedFile, isWhole: boolean, folder: string): void {
  if (inode !== 0 && wasReplaced(path, inode)) throw new Error('another file has its path now');
  const target = within(folder, path);
  if (isWhole) {
    mkdirSync(dirname(target), { recursive: true });
    copyRegular(path, target);
  } else {
    copySymbols(path, target);
  }
  const id = buildId ?? readElf(path)?.buildId;
  if (id !== undefined && existsSync(debugFilePath(id)))
    copySymbols(debugFilePath(id), within(folder, debugFilePath(id)));
}

function copySymbols(path: string, target: string): void {
  const source = new FileSource(path);
  try {
    const parts = symbolParts(source);
    if (parts === undefined) throw new Error('it is no ELF file of 64 bits');
    write(target, encodeParts(source, parts));
  } finally {
    source.close();
  }
}

function write(path: string, bytes: Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes, { mode: 0o600 });
}
