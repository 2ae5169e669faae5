import type { SectionHeader } from '../../common/header.ts';
import { formatCount, joinWords, plural, visible } from '../../common/text.ts';
import type { PageData, Section } from './model.ts';

/** In one line what was collected, and whether all of it is there. */
export function Collected({ data, onMore }: { readonly data: PageData; readonly onMore: () => void }) {
  const headers = data.sections.map(({ header }) => header);
  const interfaces = new Set(headers.map((header) => header.interface));
  const tools = new Set(headers.flatMap(({ tool }) => (tool === undefined ? [] : [tool.name])));
  const records = data.sections.reduce((sum, own) => sum + own.records, 0);
  const sum = (key: 'lost' | 'skipped'): number => headers.reduce((total, header) => total + (header[key] ?? 0), 0);
  const substituted = new Set(headers.filter(({ substitute }) => substitute !== undefined).map((own) => own.interface));
  const notes = new Set([...(data.manifest.known ?? []), ...data.sections.flatMap((section) => section.notes)]);
  const { hosts } = data.manifest;
  const parts = [
    ...(hosts === undefined ? [] : [plural(hosts.length, 'host')]),
    `${plural(interfaces.size, 'interface')} by ${joinWords([...tools].map(visible)) || 'no tool that is known'}`,
    plural(records, 'record'),
    `${formatCount(sum('lost'))} lost, ${formatCount(sum('skipped'))} skipped`,
    ...(substituted.size === 0 ? [] : [`${joinWords([...substituted].map(visible))} by a substitute`]),
  ];
  return (
    <div class="collected faint">
      {parts.join(' · ')}{' '}
      <button type="button" class="only" title="Tools, commands, and what to know about the data" onClick={onMore}>
        {notes.size === 0 ? 'more' : plural(notes.size, 'note')}
      </button>
    </div>
  );
}

/** Where the data comes from, by interface: what was really run, what was lost, skipped or substituted. */
export function About({ data }: { readonly data: PageData }) {
  const byInterface = new Map<string, Section[]>();
  for (const section of data.sections) {
    byInterface.set(section.interface, [...(byInterface.get(section.interface) ?? []), section]);
  }
  return (
    <div class="view">
      <div class="scroll about">
        {[...data.notes, ...(data.manifest.known ?? [])].map((note) => (
          <p key={note}>{note}</p>
        ))}
        {[...byInterface].map(([name, sections]) => (
          <section key={name}>
            <h2>{visible(name)}</h2>
            <ul>
              {sections.map(({ number, header, records }) => (
                <li key={number}>
                  <span class="faint">{number}.</span> {quantityText(header)}: {plural(records, 'record')},{' '}
                  {formatCount(header.lost ?? 0)} lost, {formatCount(header.skipped ?? 0)} skipped
                </li>
              ))}
            </ul>
            {distinct(sections.flatMap(({ header }) => (header.tool === undefined ? [] : [toolText(header.tool)]))).map(
              (tool) => (
                <p key={tool} class="command">
                  {tool}
                </p>
              ),
            )}
            <ul class="notes">
              {distinct(sections.flatMap(({ notes }) => notes)).map((note) => (
                <li key={note}>{note}</li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </div>
  );
}

function quantityText({ datatype, y, weight }: SectionHeader): string {
  const quantity = y?.label ?? weight?.label;
  return visible(quantity === undefined ? `${datatype}s` : `${datatype}s of ${quantity}`);
}

function toolText({ name, version, command }: NonNullable<SectionHeader['tool']>): string {
  return visible(`${name} ${version}: ${command.join(' ')}`);
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
