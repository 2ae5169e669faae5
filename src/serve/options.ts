import * as z from 'zod';

/** Config section [serve]. */
export const serveOptions = z.strictObject({
  /** The address, or its name, that is listened at. */
  host: z.string().min(1).default('127.0.0.1'),
  /** 0: a free one. */
  port: z.coerce.number().int().min(0).max(65_535).default(6277),
  /** Records of one section that a page gets at once. */
  records: z.coerce.number().int().min(1000).max(4_000_000).default(1_000_000),
});

export type ServeOptions = z.infer<typeof serveOptions>;
