import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { layout, pageWithLayout } from '../scripts/layout.mjs';

test('the layout in docs/architecture.md is that of the source (npm run layout writes it)', () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/architecture.md'), 'utf8');
  expect(page).toBe(pageWithLayout(page));
  expect(layout()).toMatch(/^ {2}program --> commands$/m);
  expect(layout()).toMatch(/^src\/display\/shape\/ .*common\/$/m);
});
