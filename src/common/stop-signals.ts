import { SIGNAL_EXIT } from './errors.ts';

/** A signal that asks MARPLE to end. */
export type StopSignal = keyof typeof SIGNAL_EXIT;

let handler: ((signal: StopSignal) => void) | undefined;

/** From now on `leave` is called at a stop signal, unless something else has taken it over. */
export function catchStopSignals(leave: (signal: StopSignal) => void): void {
  for (const signal of Object.keys(SIGNAL_EXIT) as StopSignal[]) {
    process.on(signal, () => (handler ?? leave)(signal));
  }
}

/** Something that has more to complete takes the stop signals over. Gives what hands them back. */
export function takeStopSignals(onSignal: (signal: StopSignal) => void): () => void {
  const before = handler;
  handler = onSignal;
  return () => {
    handler = before;
  };
}
