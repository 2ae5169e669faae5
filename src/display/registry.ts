import * as z from 'zod';
import { FlameGraph } from './flamegraph.ts';
import { G2 } from './g2.ts';
import type { DisplayJob, GenericDisplay, ViewDescription } from './generic-display.ts';
import { HeatMap } from './heatmap.ts';
import { Report } from './report.ts';
import { StackPlot } from './stackplot.ts';
import { TimelineView } from './timeline.ts';
import { TreeMap } from './treemap.ts';

/** A GenericDisplay subclass as the registry lists it. */
export interface DisplayClass<Name extends string = string, Options = unknown> {
  readonly description: ViewDescription<Name, Options>;
  new (job: DisplayJob<Options>): GenericDisplay<Options>;
}

/** Every view. The first that fits shows an interface that config names no view for. */
const DISPLAYS = [FlameGraph, HeatMap, StackPlot, TreeMap, TimelineView, G2, Report] as const;

export type ViewName = (typeof DISPLAYS)[number]['description']['name'];

/** The descriptions of all views. */
export const VIEWS: readonly ViewDescription<ViewName, unknown>[] = DISPLAYS.map((display) => display.description);

/** The view of a name. */
export function findDisplay(name: ViewName): DisplayClass<ViewName> {
  return DISPLAYS.find((display) => display.description.name === name) as DisplayClass<ViewName>;
}

/** Config section `[Display]`: interface = view. */
export const displayChoices = z.record(
  z.string(),
  z.enum(VIEWS.filter((view) => view.showsAll !== true).map((view) => view.name)),
);

/** Config sections that displaying reads, by name: `Display`, and one per view. */
export function displayConfigSections(): Record<string, z.ZodType> {
  return { Display: displayChoices, ...Object.fromEntries(VIEWS.map((view) => [view.name, view.options])) };
}
