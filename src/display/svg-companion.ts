import type { FlamePicture } from './flamegraph.ts';

/**
 * What the SVG of both flame graph engines has beside its own style and script: the size of the window, colours for a dark one,
 * and all of it by keyboard. Frames are groups of a title, a rectangle and, where there is room, a text.
 * @param style of the engine's own drawing.
 */
export function companion(picture: FlamePicture, style: string): string {
  const fits = picture.fitsWindow ? ':root{width:100%;height:auto}' : '';
  return `<style>${STYLE}${fits}${style}</style>\n<script><![CDATA[${SCRIPT}]]></script>`;
}

const STYLE = `
.chosen rect{stroke:#000;stroke-width:1.6}
@media (prefers-color-scheme:dark){
:root{background:#17181c}
.chosen rect{stroke:#fff}
}
`;

// Runs in the picture, in the browser. It reads everything from the drawing: no name stands in code.
const SCRIPT = `
(function () {
  var groups = Array.prototype.filter.call(document.querySelectorAll('g'), function (g) {
    return g.querySelector(':scope > title') !== null;
  });
  var chosen = null;
  var byId = function (id) { return document.getElementById(id); };
  function box(g) {
    var rect = g.querySelector('rect'), number = function (name) { return Number(rect.getAttribute(name)); };
    return { g: g, x: number('x'), y: number('y'), end: number('x') + number('width'), width: number('width') };
  }
  function send(g, type) { g.dispatchEvent(new MouseEvent(type, { bubbles: type !== 'mouseenter' && type !== 'mouseleave' })); }
  function choose(next) {
    if (chosen !== null) {
      chosen.classList.remove('chosen');
      send(chosen, 'mouseout');
      send(chosen, 'mouseleave');
    }
    chosen = next;
    if (next === null) return;
    next.classList.add('chosen');
    send(next, 'mouseover');
    send(next, 'mouseenter');
    document.documentElement.setAttribute('aria-label', next.querySelector('title').textContent);
    next.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }
  function shown() {
    return groups.filter(function (g) { return g.style.display !== 'none'; }).map(box);
  }
  function rows(all) {
    var ys = all.map(function (b) { return b.y; });
    return ys.filter(function (y, i) { return ys.indexOf(y) === i; }).sort(function (a, b) { return a - b; });
  }
  // The widest frame of a row that stands on, or carries, the chosen one.
  function across(all, from, step) {
    var ys = rows(all), y = ys[ys.indexOf(from.y) + step];
    return all.filter(function (b) { return b.y === y && b.x < from.end - 0.01 && b.end > from.x + 0.01; })
      .sort(function (a, b) { return b.width - a.width; })[0];
  }
  function beside(all, from, step) {
    var row = all.filter(function (b) { return b.y === from.y; }).sort(function (a, b) { return a.x - b.x; });
    return row[row.findIndex(function (b) { return b.g === from.g; }) + step];
  }
  function click(id) { var button = byId(id); if (button !== null) send(button, 'click'); }
  document.addEventListener('keydown', function (e) {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    var all = shown(), from = chosen === null || chosen.style.display === 'none' ? null : box(chosen);
    if (/^Arrow/.test(e.key) && from === null) {
      var widest = all.slice().sort(function (a, b) { return b.width - a.width; })[0];
      if (widest) choose(widest.g);
    } else if (/^Arrow/.test(e.key)) {
      var next = e.key === 'ArrowUp' ? across(all, from, -1) : e.key === 'ArrowDown' ? across(all, from, 1)
        : beside(all, from, e.key === 'ArrowLeft' ? -1 : 1);
      if (next) choose(next.g);
    } else if (e.key === 'Enter' && from !== null) send(chosen, 'click');
    else if (e.key === 'Escape') { click('unzoom'); click('reset'); choose(null); }
    else if (e.key === '/') click('search');
    else return;
    e.preventDefault();
  });
  // The frame that all others stand on is what one sees first, and the line below it that tells of frames.
  var base = groups.map(box).sort(function (a, b) { return b.width - a.width || b.y - a.y; })[0];
  if (base && groups.every(function (g) { return box(g).y <= base.y; })) window.scrollTo(0, document.documentElement.getBoundingClientRect().height);
})();
`;
