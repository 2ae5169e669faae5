import { formatCount, shorten, visible, xmlText } from '../common/text.ts';
import { Utf8Text } from '../common/utf8-text.ts';
import type { FlamePicture } from './flamegraph.ts';
import { SIGNATURE } from './generic-display.ts';
import { footerLines } from './notes.ts';
import type { FlameBox } from './shape/flame.ts';
import { frameColour } from './shape/frame-colour.ts';
import type { FlameLayout } from './shape/tree.ts';
import { companion } from './svg-companion.ts';

const PAD = 10;
const HEAD = 52;
const ROW = 17;
const FONT = 12;
/** Width of a character of the monospaced font, relative to its size. */
const CHARACTER = 0.602;
const NOTE_HEIGHT = 15;
/** Of a name in its row, pixels. */
const BASELINE = 12;
/** Characters; less of a name says nothing. */
const LEAST_ROOM = 3;

/**
 * The built-in flame graph: a self-contained SVG with hover texts, zoom by click, search, and light and dark colours.
 * `layout` must be for the picture's width less 20 pixels.
 */
export function drawFlame(picture: FlamePicture, layout: FlameLayout): Buffer {
  const { width } = picture;
  const lines = footerLines(picture.footer, Math.floor(width / 6.8));
  const graphBottom = HEAD + layout.levels * ROW;
  const height = graphBottom + 26 + lines.length * NOTE_HEIGHT + 8;
  const total = picture.tree.total;
  const text = new Utf8Text();
  const add = (parts: readonly string[]): void => text.add(`${parts.join('\n')}\n`);
  add([
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<!-- ${SIGNATURE} -->`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    `<text class="title" x="${width / 2}" y="24">${xmlText(shorten(picture.title, Math.floor(width / 12)))}</text>`,
    `<text class="subtitle" x="${width / 2}" y="41">${xmlText(shorten(picture.subtitle, Math.floor((width - 40) / 6)))}</text>`,
    `<text class="button" id="reset" x="${PAD}" y="24" visibility="hidden">Reset zoom</text>`,
    `<text class="button right" id="search" x="${width - PAD}" y="24">Search</text>`,
    ...(total > 0 ? [] : [`<text class="title" x="${width / 2}" y="${HEAD + 12}">no records</text>`]),
    `<g id="frames" data-total="${total}">`,
  ]);
  const draw = frameDrawer(picture, graphBottom);
  if (total > 0) for (const box of layout.boxes) text.add(draw(box));
  add([
    '</g>',
    `<text id="details" x="${PAD}" y="${graphBottom + 18}"></text>`,
    `<text class="right" id="matched" x="${width - PAD}" y="${graphBottom + 18}"></text>`,
    ...lines.map(
      (line, i) =>
        `<text class="note" x="${PAD}" y="${graphBottom + 26 + (i + 1) * NOTE_HEIGHT - 3}">${xmlText(line)}</text>`,
    ),
    `<script><![CDATA[${SCRIPT}]]></script>`,
    companion(picture, ''),
    '</svg>',
  ]);
  return text.bytes;
}

/** What is drawn of a frame for its name alone. */
interface NameLook {
  readonly shown: string;
  /** The same, as text of XML. */
  readonly text: string;
  readonly fill: string;
}

/** What is the same for all frames, or for all of a name, is worked out once: few names are those of many frames. */
function frameDrawer(picture: FlamePicture, bottom: number): (box: FlameBox) => string {
  const { colors, icicle, unitSize } = picture;
  const { names, frames, total: weights } = picture.wide;
  const { total } = picture.tree;
  const countname = xmlText(picture.countname);
  const looks = new Map<string, NameLook>();
  const lookOf = (name: string): NameLook => {
    const known = looks.get(name);
    if (known !== undefined) return known;
    const shown = visible(name);
    const look = { shown, text: xmlText(shown), fill: ` fill="${frameColour(name, colors)}"` };
    looks.set(name, look);
    return look;
  };
  return ({ node, depth, x, width }) => {
    const { shown, text, fill } = lookOf(node === 0 ? 'all' : names[frames[node]!]!);
    const left = PAD + x;
    const y = icicle ? HEAD + depth * ROW : bottom - (depth + 1) * ROW;
    const weight = weights[node]!;
    const percent = ((100 * weight) / total).toFixed(2);
    const count = formatCount(weight / unitSize);
    const room = Math.floor((width - 6) / (FONT * CHARACTER));
    return (
      `<g data-d="${depth}" data-n="${weight}">` +
      `<title>${text} (${count} ${countname}, ${percent}%)</title>` +
      `<rect x="${left.toFixed(2)}" y="${y}" width="${width.toFixed(2)}" height="${ROW - 1}"${depth === 0 ? '' : fill}/>` +
      // Most frames are too narrow for their names.
      (room < LEAST_ROOM
        ? '</g>\n'
        : `<text x="${(left + 3).toFixed(2)}" y="${y + BASELINE}">${room >= shown.length ? text : xmlText(shorten(shown, room))}</text></g>\n`)
    );
  };
}

const STYLE = `
text{font:${FONT}px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1a1a1a}
.paper{fill:#fff}
.title,.subtitle,.button,.note,#details,#matched{font-family:'DejaVu Sans',Verdana,sans-serif;fill:#222}
.title{font-size:17px;text-anchor:middle}
.subtitle{font-size:11px;text-anchor:middle;fill:#666}
.note{font-size:11px;fill:#9a3c00}
.right{text-anchor:end}
.button{cursor:pointer;fill:#555}
#frames g{cursor:pointer}
#frames rect{rx:2px}
#frames g[data-d="0"] rect{fill:#d5d5d5}
#frames text{pointer-events:none;fill:#111}
#frames g:hover rect{stroke:#000;stroke-width:.7}
#frames g.below{opacity:.5}
#frames g.found rect{fill:#d63be0}
@media (prefers-color-scheme:dark){
.paper{fill:#17181c}
.title,.button,#details,#matched{fill:#e4e4e4}
.subtitle{fill:#a5a5a5}
.note{fill:#ffb074}
#frames g:hover rect{stroke:#fff}
}`;

// Runs in the picture, in the browser. It reads everything from the drawing: no name stands in code.
const SCRIPT = `
(function () {
  var svg = document.documentElement;
  var pad = ${PAD}, full = svg.viewBox.baseVal.width - 2 * pad, perCharacter = ${FONT * CHARACTER};
  var byId = function (id) { return document.getElementById(id); };
  var group = byId('frames'), total = Number(group.dataset.total);
  var frames = Array.prototype.map.call(group.children, function (g) {
    var rect = g.querySelector('rect');
    return {
      g: g, rect: rect, label: g.querySelector('text'), hover: g.querySelector('title').textContent,
      depth: Number(g.dataset.d), weight: Number(g.dataset.n),
      x: Number(rect.getAttribute('x')) - pad, w: Number(rect.getAttribute('width'))
    };
  });
  frames.forEach(function (f) { f.name = f.hover.replace(/ \\([^()]*\\)$/, ''); });

  function place(f, x, w) {
    f.rect.setAttribute('x', pad + x);
    f.rect.setAttribute('width', w);
    var room = Math.floor((w - 6) / perCharacter);
    if (f.label === null) {
      if (room < ${LEAST_ROOM}) return;
      f.label = f.g.appendChild(document.createElementNS(svg.namespaceURI, 'text'));
      f.label.setAttribute('y', Number(f.rect.getAttribute('y')) + ${BASELINE});
    }
    f.label.setAttribute('x', pad + x + 3);
    var text = Array.from(f.name);
    f.label.textContent = room < ${LEAST_ROOM} ? '' : text.length <= room ? f.name : text.slice(0, room - 1).join('') + '\\u2026';
  }
  function zoom(to) {
    var from = to.x, until = to.x + to.w, scale = full / to.w, slack = 0.02;
    frames.forEach(function (f) {
      var below = f.depth < to.depth && f.x <= from + slack && f.x + f.w >= until - slack;
      var inside = f.depth >= to.depth && f.x >= from - slack && f.x + f.w <= until + slack;
      f.g.style.display = below || inside ? '' : 'none';
      f.g.classList.toggle('below', below);
      if (below) place(f, 0, full);
      else if (inside) place(f, (f.x - from) * scale, f.w * scale);
    });
    byId('reset').setAttribute('visibility', to.depth === 0 ? 'hidden' : 'visible');
  }
  function search() {
    var searching = frames.some(function (f) { return f.g.classList.contains('found'); });
    var term = searching ? null : prompt('Search for (regular expression)', '');
    var pattern = null;
    try { if (term) pattern = new RegExp(term); } catch (e) { alert(e.message); }
    var matched = 0, covered = -1;
    frames.slice().sort(function (a, b) { return a.x - b.x || a.depth - b.depth; }).forEach(function (f) {
      var found = pattern !== null && f.depth > 0 && pattern.test(f.name);
      f.g.classList.toggle('found', found);
      // What stands on a frame that was counted is within it.
      if (found && f.x >= covered - 0.02) { matched += f.weight; covered = f.x + f.w; }
    });
    byId('search').textContent = matched > 0 ? 'Reset search' : 'Search';
    byId('matched').textContent = pattern === null ? '' : 'Matched: ' + (100 * matched / total).toFixed(2) + '%';
  }
  frames.forEach(function (f) {
    f.g.addEventListener('click', function () { zoom(f); });
    f.g.addEventListener('mouseenter', function () { byId('details').textContent = f.hover; });
    f.g.addEventListener('mouseleave', function () { byId('details').textContent = ''; });
  });
  byId('reset').addEventListener('click', function () { if (frames.length > 0) zoom(frames[0]); });
  byId('search').addEventListener('click', search);
  document.addEventListener('keydown', function (e) {
    if ((e.ctrlKey || e.metaKey) && e.key === 'f') { e.preventDefault(); search(); }
  });
})();
`;
