/** Nanoseconds that a clock is before another one, and how far that can be off. */
export type Offset = {
  readonly ns: number;
  readonly uncertainty_ns: number;
};

/**
 * A question for the time and its answer, nanoseconds of the wall clocks: when it was asked and the answer had come, by the
 * one who asks; when the question had come and the answer went, by the one who answers.
 */
export interface Exchange {
  readonly asked: bigint;
  readonly received: bigint;
  readonly sent: bigint;
  readonly answered: bigint;
  /** How far the readings themselves can be off, both together. */
  readonly error: number;
}

/**
 * How far the clock of the one who answers is before that of the one who asks, as NTP has it (RFC 5905, section 8): the true
 * offset is within half the time that was spent on the way, however that was shared between the two ways.
 */
export function offsetOf({ asked, received, sent, answered, error }: Exchange): Offset {
  const onTheWay = Number(answered - asked - (sent - received));
  const ns = Math.round((Number(received - asked) + Number(sent - answered)) / 2);
  return { ns, uncertainty_ns: Math.ceil(Math.max(0, onTheWay) / 2) + error };
}

/** The surest one of several. */
export function surest(offsets: readonly Offset[]): Offset | undefined {
  return offsets.reduce<Offset | undefined>(
    (best, offset) => (best === undefined || offset.uncertainty_ns < best.uncertainty_ns ? offset : best),
    undefined,
  );
}
