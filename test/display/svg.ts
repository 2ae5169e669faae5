import { execFileSync } from 'node:child_process';

/** An element of an XML document; text is what stands directly in it. */
export interface XmlElement {
  readonly tag: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

// Python's expat is a strict, validating-free XML 1.0 parser that is on every machine with BCC's tools.
const PARSE = `
import json, sys
from xml.etree import ElementTree
sys.setrecursionlimit(100000)
def plain(e):
    return {'tag': e.tag.split('}')[-1], 'attributes': dict(e.attrib), 'text': e.text or '', 'children': [plain(c) for c in e]}
print(json.dumps(plain(ElementTree.fromstring(sys.stdin.buffer.read()))))
`;

/** Parses strictly, and throws where the text is not well-formed. */
export function parseXml(text: string | Uint8Array): XmlElement {
  const json = execFileSync('/usr/bin/python3', ['-c', PARSE], { input: text, maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(json.toString()) as XmlElement;
}

/** Every element with this tag, at any depth. */
export function elements(root: XmlElement, tag: string): XmlElement[] {
  const below = root.children.flatMap((child) => elements(child, tag));
  return root.tag === tag ? [root, ...below] : below;
}

export interface DrawnFrame {
  readonly name: string;
  /** As the hover text has it. */
  readonly total: string;
  readonly depth: number;
  readonly x: number;
  readonly width: number;
}

/** The frames of a flame graph of either engine, from the bottom up and from left to right. */
export function drawnFrames(root: XmlElement): DrawnFrame[] {
  const groups = elements(root, 'g').filter(
    ({ attributes }) => attributes['class'] === 'func_g' || attributes['data-d'] !== undefined,
  );
  const number = (group: XmlElement, name: string) => Number(elements(group, 'rect')[0]?.attributes[name]);
  const rows = [...new Set(groups.map((group) => number(group, 'y')))].sort((a, b) => b - a);
  return groups
    .map((group) => {
      const hover = elements(group, 'title')[0]?.text ?? '';
      const [, name = '', total = ''] = /^(.*) \((.*)\)$/s.exec(hover) ?? [];
      return {
        name,
        // The script says 100%, the built-in renderer 100.00%.
        total: total.replace(/, 100(\.00)?%$/, ', 100%'),
        depth: rows.indexOf(number(group, 'y')),
        x: number(group, 'x'),
        width: number(group, 'width'),
      };
    })
    .sort((a, b) => a.depth - b.depth || a.x - b.x);
}

/** All the text that a picture shows outside of its frames. */
export function shownTexts(root: XmlElement): string[] {
  return elements(root, 'text').map(({ text }) => text);
}
