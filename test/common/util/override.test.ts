import { describe, expect, test } from 'vitest';
import { override } from '../../../src/common/util/override.ts';

class Grandparent {
  far(): string {
    return 'grandparent';
  }
}

class Base extends Grandparent {
  static make(): string {
    return 'base';
  }
  near(): string {
    return 'base';
  }
}

describe('@override', () => {
  test('lets through what overrides a method of the base, or of a class above it', () => {
    class Derived extends Base {
      @override(Base)
      static override make(): string {
        return 'derived';
      }
      @override(Base)
      override near(): string {
        return `derived, not ${super.near()}`;
      }
      @override(Base)
      override far(): string {
        return 'derived';
      }
    }
    expect(Derived.make()).toBe('derived');
    expect(new Derived().near()).toBe('derived, not base');
    expect(new Derived().far()).toBe('derived');
  });

  test('refuses, when the class is defined, what overrides nothing', () => {
    const define = (): unknown =>
      class Derived extends Base {
        @override(Base)
        naer(): string {
          return 'derived';
        }
      };
    expect(define).toThrow(new TypeError('naer overrides nothing: Base has no such method'));
  });

  test('a static method does not override one of instances, nor the other way', () => {
    const asStatic = (): unknown =>
      class Derived extends Base {
        @override(Base)
        static near(): void {}
      };
    const asInstance = (): unknown =>
      class Derived extends Base {
        @override(Base)
        make(): void {}
      };
    expect(asStatic).toThrow('near overrides nothing');
    expect(asInstance).toThrow('make overrides nothing');
  });
});
