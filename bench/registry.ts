import type { Measurement } from './measurement.ts';
import { dataFile } from './measurements/data-file.ts';
import { decode } from './measurements/decode.ts';
import { fleet } from './measurements/fleet.ts';
import { heatMap } from './measurements/heat-map.ts';
import { profiles } from './measurements/profiles.ts';
import { reportPage } from './measurements/report-page.ts';
import { scale } from './measurements/scale.ts';
import { startUp } from './measurements/start-up.ts';
import { target } from './measurements/target.ts';

/** All that is measured, in the order in which it is. */
export const MEASUREMENTS: readonly Measurement[] = [
  startUp,
  dataFile,
  heatMap,
  profiles,
  decode,
  target,
  scale,
  reportPage,
  fleet,
];
