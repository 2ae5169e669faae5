import { release } from 'node:os';
import { UnavailableError } from '../errors.ts';

/** Version, patch level and sublevel, as in the kernel's Makefile. */
export type KernelVersion = readonly [number, number, number];

// 6.12-amd64   6.9.0+   6.18.44-fc-v669   5.15.0-1051-aws   4.19.0_rc1   6.1.0-13-amd64
/** The numbers at the start of `uname -r`, those that are missing 0; undefined where it does not start with one. */
export function parseKernelRelease(text: string): KernelVersion | undefined {
  const numbers = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(text.trim());
  if (numbers === null) return undefined;
  return [Number(numbers[1]), Number(numbers[2] ?? 0), Number(numbers[3] ?? 0)];
}

/** Below 0 where `a` is older than `b`, 0 where they are the same, above 0 where `a` is newer. */
export function compareKernelVersions(a: KernelVersion, b: KernelVersion): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/**
 * `@requiresKernel('4.9')`: the method throws UnavailableError where the running kernel is older. A newer kernel may lack
 * the feature all the same, so this only gives a better sentence than the failure would; it never replaces a probe. A
 * release that is no number is let through.
 * @param running the kernel's release, as `uname -r` gives it.
 */
export function requiresKernel(minimum: string, running: () => string = release) {
  const required = parseKernelRelease(minimum);
  if (required === undefined) throw new TypeError(`'${minimum}' is no kernel version`);
  return <This, Args extends unknown[], Result>(
    method: (this: This, ...args: Args) => Result,
    context: ClassMethodDecoratorContext<This>,
  ): ((this: This, ...args: Args) => Result) =>
    function (this: This, ...args: Args): Result {
      const version = parseKernelRelease(running());
      if (version !== undefined && compareKernelVersions(version, required) < 0) {
        throw new UnavailableError(
          `${String(context.name)} needs Linux ${minimum} or newer, and this is ${running()}`,
          'uname -r tells the version',
        );
      }
      return method.apply(this, args);
    };
}
