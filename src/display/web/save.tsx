import { exportCommand } from './export-command.ts';
import type { Filter } from './filters.ts';
import type { PageData } from './model.ts';

interface SaveProps {
  /** Of the files, without extension. */
  readonly name: string;
  readonly data: PageData;
  readonly filters: readonly Filter[];
}

/** What is shown now as a picture or a table, and the command that makes a data file of it. */
export function Save({ name, data, filters }: SaveProps) {
  const { command, without } = exportCommand(data, filters);
  return (
    <div class="bar save" role="toolbar" aria-label="Save">
      <button type="button" onClick={() => void savePicture(name)}>
        PNG
      </button>
      <button type="button" onClick={() => saveTable(name)}>
        CSV
      </button>
      <label>
        as a data file <input type="text" readOnly value={command} onFocus={(event) => event.currentTarget.select()} />
      </label>
      {without.length > 0 && <span class="faint">no flag says: {without.join('; ')}</span>}
    </div>
  );
}

/** All the canvases of the view, as they lie over one another. */
async function savePicture(name: string): Promise<void> {
  const canvases = [...document.querySelectorAll<HTMLCanvasElement>('.view canvas')];
  if (canvases.length === 0) return;
  const places = canvases.map((canvas) => canvas.getBoundingClientRect());
  const left = Math.min(...places.map((place) => place.left));
  const top = Math.min(...places.map((place) => place.top));
  const ratio = window.devicePixelRatio || 1;
  const whole = document.createElement('canvas');
  whole.width = Math.round((Math.max(...places.map((place) => place.right)) - left) * ratio);
  whole.height = Math.round((Math.max(...places.map((place) => place.bottom)) - top) * ratio);
  const context = whole.getContext('2d')!;
  context.fillStyle = getComputedStyle(document.body).backgroundColor;
  context.fillRect(0, 0, whole.width, whole.height);
  for (const [i, canvas] of canvases.entries()) {
    if (canvas.width > 0 && canvas.height > 0)
      context.drawImage(canvas, (places[i]!.left - left) * ratio, (places[i]!.top - top) * ratio);
  }
  const blob = await new Promise<Blob | null>((resolve) => whole.toBlob(resolve, 'image/png'));
  if (blob !== null) download(blob, `${name}.png`);
}

/** The largest table of the view. */
function saveTable(name: string): void {
  const tables = [...document.querySelectorAll<HTMLTableElement>('.view table')];
  const [table] = tables.sort((a, b) => b.rows.length - a.rows.length);
  if (table === undefined) return;
  const lines = [...table.rows].map((row) => [...row.cells].map((cell) => csvCell(cellText(cell))).join(','));
  download(new Blob([`${lines.join('\r\n')}\r\n`], { type: 'text/csv' }), `${name}.csv`);
}

/** What is only there to be clicked is no part of the data. */
function cellText(cell: HTMLTableCellElement): string {
  const copy = cell.cloneNode(true) as HTMLElement;
  for (const button of copy.querySelectorAll('.only')) button.remove();
  return (copy.textContent ?? '').replace(/\s+/g, ' ').trim();
}

/** Quoted where it must be; a text that a spreadsheet would take for a formula gets an apostrophe. */
function csvCell(text: string): string {
  const safe = /^[=+@\t\r]|^-(?![\d.])/.test(text)
    ? `'${text}`
    : /^\d[\d,]*$/.test(text)
      ? text.replaceAll(',', '')
      : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function download(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
