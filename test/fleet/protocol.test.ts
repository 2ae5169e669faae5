import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  dataLine,
  type HomeMessage,
  type HostMessage,
  homeLine,
  hostLine,
  OVER,
  parseHomeLine,
  parseHostLine,
} from '../../src/fleet/protocol.ts';

describe('lines between home and hosts', () => {
  test('of a host are read as they were meant, and are ASCII without control characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('stdout', 'stderr'), (text, on) => {
        const message: HostMessage = { is: 'said', on, text };
        expect(hostLine(message)).toMatch(/^[\x20-\x7e]*$/);
        expect(parseHostLine(hostLine(message))).toEqual(message);
      }),
    );
  });

  test('of home, likewise', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (args) => {
        const message: HomeMessage = { is: 'request', args, command: null, dry: false };
        expect(homeLine(message)).toMatch(/^[\x20-\x7e]*$/);
        expect(parseHomeLine(homeLine(message))).toEqual(message);
      }),
    );
  });

  test('hold data', () => {
    expect(parseHostLine(dataLine(Buffer.from('abc')))).toEqual({ is: 'data', base64: 'YWJj' });
    expect(parseHostLine(OVER)).toEqual({ is: 'over' });
  });

  test.each([
    '',
    'Welcome to web1!',
    'marple-fleet',
    'marple-fleet {',
    'marple-fleet null',
    'marple-fleet {"is":"x"}',
    'marple-fleet {"is":"hello","protocol":1,"version":"1","id":"../../etc/passwd"}',
    'marple-fleet {"is":"ended","code":"0","result":null}',
    'marple-fleet {"is":"alive","records":-1}',
    'marple-fleet {"is":"time","round":1,"received":"1e9","sent":"0","error":0}',
    `marple-fleet {"is":"said","on":"stdout","text":"${'x'.repeat(2_000_000)}"}`,
  ])('are nothing where they are none: %.60s', (line) => {
    expect(parseHostLine(line)).toBeUndefined();
  });

  test('are read or are nothing, whatever comes', () => {
    const nearly = fc.json().map((json) => `marple-fleet ${json}`);
    fc.assert(
      fc.property(fc.oneof(fc.string(), nearly), (line) => {
        expect(() => parseHostLine(line)).not.toThrow();
        expect(() => parseHomeLine(line)).not.toThrow();
      }),
    );
  });
});
