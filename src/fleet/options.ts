import * as z from 'zod';

/** Config section [Fleet]. */
export const fleetOptions = z.strictObject({
  /** The program on the hosts. */
  marple: z.string().min(1).default('marple'),
  /** Whether it is run by `sudo -n` there. */
  sudo: z.coerce.string().pipe(z.stringbool()).default(false),
  /** The one-file program that --push takes to the hosts; empty: MARPLE itself, or the one that was built beside it. */
  binary: z.string().default(''),
  /** MB of the data file of a host, decompressed: one that sends more is cut off. */
  max_mb: z.coerce.number().int().min(1).max(1_000_000).default(10_000),
});

export type FleetOptions = z.infer<typeof fleetOptions>;
