import { release } from 'node:os';
import { describe, expect, test } from 'vitest';
import { UnavailableError } from '../../../src/common/errors.ts';
import {
  compareKernelVersions,
  type KernelVersion,
  parseKernelRelease,
  requiresKernel,
} from '../../../src/common/util/kernel-version.ts';

describe('parseKernelRelease', () => {
  const releases: [string, KernelVersion][] = [
    ['6.12-amd64', [6, 12, 0]],
    ['6.9.0+', [6, 9, 0]],
    ['6.18.44-fc-v669', [6, 18, 44]],
    ['5.15.0-1051-aws', [5, 15, 0]],
    ['4.19.0_rc1', [4, 19, 0]],
    ['6.11.0-rc7-next-20240912', [6, 11, 0]],
    ['3.10.0-1160.el7.x86_64', [3, 10, 0]],
    ['2.6.32.59', [2, 6, 32]],
    ['5.10.102.1-microsoft-standard-WSL2\n', [5, 10, 102]],
    ['7', [7, 0, 0]],
  ];
  test.each(releases)('%s', (text, version) => {
    expect(parseKernelRelease(text)).toEqual(version);
  });

  test('this kernel, and what is no release', () => {
    expect(parseKernelRelease(release())?.[0]).toBeGreaterThanOrEqual(3);
    expect(parseKernelRelease('')).toBeUndefined();
    expect(parseKernelRelease('generic')).toBeUndefined();
  });

  test('versions are compared as numbers, not as text', () => {
    expect(compareKernelVersions([6, 9, 0], [6, 12, 0])).toBeLessThan(0);
    expect(compareKernelVersions([10, 0, 0], [9, 99, 99])).toBeGreaterThan(0);
    expect(compareKernelVersions([5, 15, 1], [5, 15, 1])).toBe(0);
  });
});

describe('@requiresKernel', () => {
  function on(running: string): { old(): string; here(x: number): number } {
    class Feature {
      readonly name = 'feature';
      @requiresKernel('4.9', () => running)
      old(): string {
        return this.name;
      }
      @requiresKernel('2.6.32')
      here(x: number): number {
        return x;
      }
    }
    return new Feature();
  }

  test('runs the method on a kernel that is new enough, the running one by default', () => {
    expect(on('4.9.0-rc1').old()).toBe('feature');
    expect(on('6.12-amd64').old()).toBe('feature');
    expect(on('').here(5)).toBe(5);
  });

  test('an older kernel is an UnavailableError that names both', () => {
    expect(() => on('4.8.17-generic').old()).toThrow(UnavailableError);
    expect(() => on('4.8.17-generic').old()).toThrow('old needs Linux 4.9 or newer, and this is 4.8.17-generic');
  });

  test('a release that is no number is let through; a minimum that is none is a mistake of ours', () => {
    expect(on('custom').old()).toBe('feature');
    expect(() => requiresKernel('new')).toThrow(TypeError);
  });
});
