import type { FunctionComponent } from 'preact';
import { hasHeat } from '../shape/heat.ts';
import { trackKinds } from '../shape/track-choice.ts';
import type { Filter } from './filters.ts';
import { FlameView } from './flame.tsx';
import { FunctionsView } from './functions.tsx';
import { HeatView } from './heat.tsx';
import type { PageData, Section } from './model.ts';
import { StackView } from './stack.tsx';
import { TimelineView } from './timeline.tsx';
import { TreemapView } from './treemap.tsx';

/** What a selection is compared with: other conditions, and the data that they are for, which may be of another range of time. */
export interface Base {
  readonly data: PageData;
  readonly filters: readonly Filter[];
}

/** What every view is given. */
export interface ViewProps {
  readonly data: PageData;
  readonly section: Section;
  readonly filters: readonly Filter[];
  /** What the selection is compared with, where there is something. */
  readonly base?: Base;
  /** Adds conditions that all views then obey. */
  readonly select: (...filters: readonly Filter[]) => void;
}

/** A view: it brings its own toolbar, drawing and status line. */
export interface WebView {
  /** As the manifest of a page names it. */
  readonly name: string;
  readonly label: string;
  fits(section: Section): boolean;
  readonly View: FunctionComponent<ViewProps>;
}

/** Every view, in the order in which a report offers them for a section. */
export const VIEWS: readonly WebView[] = [
  { name: 'flamegraph', label: 'Flame graph', fits: hasStacks, View: FlameView },
  { name: 'treemap', label: 'Treemap', fits: hasStacks, View: TreemapView },
  { name: 'functions', label: 'Functions', fits: hasStacks, View: FunctionsView },
  { name: 'heatmap', label: 'Heat map', fits: ({ header }) => hasHeat(header), View: HeatView },
  {
    name: 'stackplot',
    label: 'Stack plot',
    fits: ({ header }) => header.datatype === 'datapoint',
    View: StackView,
  },
  { name: 'plot', label: 'Timeline', fits: ({ header }) => trackKinds(header).length > 0, View: TimelineView },
];

function hasStacks({ stacks }: Section): boolean {
  return stacks !== undefined;
}
