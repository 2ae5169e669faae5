import type { Option } from 'commander';
import { VERSION } from '../../common/version.ts';
import { COMMANDS, DATA_FILES, type DeclaredCommand, type DeclaredProgram, GROUPS } from '../context.ts';

/**
 * A script for bash that completes `marple`. All that the registries know stands in it, so that nothing has to be started
 * while a person waits; only the groups of the user's own config.txt are looked up then.
 * @param groups those that MARPLE ships.
 */
export function bashCompletion(program: DeclaredProgram, groups: readonly string[]): string {
  const parts = [...program.parts.values()];
  return [
    `# Completion of marple ${VERSION} for bash. Made by: marple completion bash`,
    FUNCTIONS.replace('SHIPPED_GROUPS', groups.join(' ')),
    '_marple() {',
    `  local commands='${[...program.parts.keys()].join(' ')}'`,
    SETUP,
    '  if [[ -z $name ]]; then',
    '    _marple_words "$commands --help --version"',
    '    return',
    '  fi',
    '  case "$name $previous" in',
    ...parts.flatMap(valueCases),
    '  esac',
    '  if [[ $current == -* ]]; then',
    '    case $name in',
    ...parts.map((part) => `      ${part.command.name()}) _marple_words '${flags(part).join(' ')}' ;;`),
    '    esac',
    '    return',
    '  fi',
    '  case $name in',
    ...parts.flatMap(argumentCase),
    '  esac',
    '}',
    'complete -F _marple marple',
    '',
  ].join('\n');
}

const FUNCTIONS = `
# _marple_words 'WORD ...': those that begin with what is typed; behind a comma, another one of the list.
_marple_words() {
  local before=''
  [[ $current != *,* ]] || before=\${current%,*},
  mapfile -t COMPREPLY < <(compgen -P "$before" -W "$1" -- "\${current##*,}")
  COMPREPLY=("\${COMPREPLY[@]#"$assigned"}")
}

_marple_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$current")
}

# Data files and folders; where there are none, all files.
_marple_data_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -X '!*.marple' -- "$current"; compgen -d -- "$current")
  ((\${#COMPREPLY[@]} > 0)) || _marple_files
}

_marple_folders() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -d -- "$current")
}

# The groups that MARPLE ships, and the user's own.
_marple_groups() {
  local own=\${XDG_CONFIG_HOME:-$HOME/.config}/marple/config.txt
  echo SHIPPED_GROUPS
  [[ ! -r $own ]] || awk -F= '/^[ \\t]*\\[/ { on = /\\[Groups\\]/; next }
    on && NF > 1 && /^[ \\t]*[A-Za-z]/ { gsub(/[ \\t]/, "", $1); print $1 }' "$own"
}
`;

/** bash cuts words at `=` too: `--disk=lat` comes as three of them, and so does `--tool disklat=per`. */
const SETUP = `  local words=("\${COMP_WORDS[@]:1:COMP_CWORD-1}") current=\${COMP_WORDS[COMP_CWORD]}
  local name=\${words[0]} previous='' equals='' assigned='' kinds='' i
  COMPREPLY=()
  for i in "\${!words[@]}"; do
    [[ \${words[i]} == -- ]] || continue
    if ((i == \${#words[@]} - 1)); then mapfile -t COMPREPLY < <(compgen -c -- "$current"); else _marple_files; fi
    return
  done
  if [[ $current == = ]]; then
    current=
    words+=('=')
  fi
  if ((\${#words[@]} > 2)) && [[ \${words[-1]} == = ]]; then
    equals=1
    previous=\${words[-2]}
    if [[ $previous != -* ]]; then
      assigned=$previous=
      current=$assigned$current
      previous=\${words[-3]}
    fi
  elif ((\${#words[@]} > 0)); then
    previous=\${words[-1]}
  fi`;

/** What stands for a flag's value: `<file>`, `<before...>`. */
const VALUE = /<([^>.]+)(?:\.\.\.)?>/;

/** What may follow a flag that takes a value. */
function valueCases(declared: DeclaredCommand): string[] {
  const name = declared.command.name();
  const free: string[] = [];
  const cases: string[] = [];
  for (const option of visibleOptions(declared)) {
    const [, value] = VALUE.exec(option.flags) ?? [];
    if (value === undefined) continue;
    const patterns = [option.short, option.long].flatMap((flag) => (flag ? [`'${name} ${flag}'`] : []));
    const action = valueAction(option, value, declared);
    if (action === undefined) free.push(...patterns);
    else cases.push(`    ${patterns.join(' | ')}) ${action} ;;`);
  }
  return free.length === 0 ? cases : [...cases, `    ${free.join(' | ')}) return ;;`];
}

/** Undefined where the value is free text. */
function valueAction(option: Option, value: string, { part }: DeclaredCommand): string | undefined {
  const flag = option.long ?? '';
  const area = part.grammar?.areas?.get(flag);
  // An area's kinds may follow, and anything else as well.
  if (area !== undefined) return `kinds='${area.kinds.join(' ')}'`;
  const words = part.words?.[flag];
  if (words !== undefined) return `${completing(words)}; return`;
  // It takes its value behind a `=` only.
  if (flag === '--json') return '[[ -z $equals ]] || { _marple_files; return; }';
  if (value === 'file') return '_marple_files; return';
  return value === 'folder' ? '_marple_folders; return' : undefined;
}

function argumentCase({ command, part }: DeclaredCommand): string[] {
  const [argument] = command.registeredArguments;
  if (argument === undefined) return [];
  const words = part.words?.[argument.name()];
  if (words === undefined) return argument.name() === 'file' ? [`    ${command.name()}) _marple_files ;;`] : [];
  return [`    ${command.name()}) ${completing(words)} ;;`];
}

function completing(words: readonly string[]): string {
  if (words.includes(DATA_FILES)) return '_marple_data_files';
  if (words.includes(COMMANDS)) return '_marple_words "$commands"';
  if (!words.includes(GROUPS)) return `_marple_words '${words.join(' ')}'`;
  const fixed = words.filter((word) => word !== GROUPS).join(' ');
  return `if [[ $equals ]]; then _marple_words "$kinds"; else _marple_words "$kinds ${fixed} $(_marple_groups)"; fi`;
}

function visibleOptions({ command }: DeclaredCommand): Option[] {
  return command.options.filter(({ hidden }) => !hidden);
}

function flags({ command, part }: DeclaredCommand): string[] {
  const own = visibleOptions({ command, part })
    .flatMap(({ short, long }) => [short, long])
    .filter((flag) => flag !== undefined);
  return [...own, ...(part.grammar?.aliases?.keys() ?? []), '--help'].filter((flag) => flag !== null);
}
