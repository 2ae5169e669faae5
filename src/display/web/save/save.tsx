import { useState } from 'preact/hooks';
import { joinWords, plural, visible } from '../../../common/text.ts';
import { describeFilter, type Filter } from '../filters.ts';
import type { PageData, Section } from '../model.ts';
import type { Base } from '../views.ts';
import { exportCommand } from './command.ts';
import { dataFile, savedSections } from './data-file.ts';
import { pngOf, svgOf } from './picture.ts';
import { csvOf, shownTable } from './table.ts';

interface SaveProps {
  /** Of the files, without extension. */
  readonly name: string;
  readonly data: PageData;
  readonly filters: readonly Filter[];
  readonly base?: Base;
}

/** What is shown now as a picture, a table or a data file, and the command that makes the same data file. */
export function Save({ name, data, filters, base }: SaveProps) {
  const [said, setSaid] = useState('');
  const { command, without } = exportCommand(data, filters);
  const { saved, unable, reduced } = savedSections(data, filters);
  const save = async (extension: string, make: () => Blob | Promise<Blob>): Promise<void> => {
    try {
      setSaid(`${name}.${extension} is being made`);
      download(await make(), `${name}.${extension}`);
      setSaid('');
    } catch (error) {
      setSaid(`${name}.${extension} cannot be saved: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const { title, origin } = data.manifest;
  const words = (of: readonly Filter[]): string => of.map(describeFilter).join(', ') || 'everything';
  const caption = [
    title,
    [origin, words(filters), ...(base === undefined ? [] : [`compared with ${words(base.filters)}`])].join(' · '),
  ];
  const view = (): HTMLElement => document.querySelector<HTMLElement>('.view')!;
  const csv = (): Blob => {
    const table = shownTable();
    if (table === undefined) throw new Error('there is no table of this');
    return new Blob([...csvOf(table)], { type: 'text/csv' });
  };
  return (
    <div class="bar save" role="toolbar" aria-label="Save">
      <span class="group">
        What is shown as
        <button type="button" onClick={() => void save('png', () => pngOf(view(), caption))}>
          PNG
        </button>
        <button type="button" onClick={() => void save('svg', () => svgOf(view(), caption))}>
          SVG
        </button>
        <button type="button" onClick={() => void save('csv', csv)}>
          CSV
        </button>
      </span>
      <span class="group">
        What is selected as
        <button
          type="button"
          disabled={saved.length === 0}
          onClick={() => void save('marple', () => dataFile(data, filters))}
        >
          data file
        </button>
      </span>
      <label>
        or by <input type="text" readOnly value={command} onFocus={(event) => event.currentTarget.select()} />
      </label>
      {unable.length > 0 && (
        <span class="faint">
          without {plural(unable.length, 'section')} that cannot tell what is selected: {namesOf(unable)}
        </span>
      )}
      {reduced.length > 0 && (
        <span class="faint">
          of {namesOf(reduced)} the page has not all records: the command has, and so has a shorter time
        </span>
      )}
      {without.length > 0 && <span class="faint">no flag of the command says: {without.join('; ')}</span>}
      <span role="status">{said}</span>
    </div>
  );
}

function namesOf(sections: readonly Section[]): string {
  return joinWords([...new Set(sections.map((section) => visible(section.interface)))]);
}

function download(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
