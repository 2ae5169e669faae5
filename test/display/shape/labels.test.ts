import { describe, expect, it } from 'vitest';
import { Labels, labelField } from '../../../src/display/shape/labels.ts';
import { headerOf } from '../../support/data-files.ts';

describe('labelField', () => {
  it('is the process, else the first field, else the text', () => {
    expect(labelField(headerOf('datapoint', { fields: ['pid', 'comm'] }))).toBe('comm');
    expect(labelField(headerOf('datapoint', { fields: ['use', 'zone'] }))).toBe('use');
    expect(labelField(headerOf('datapoint'))).toBe('info');
  });
});

describe('Labels', () => {
  const header = headerOf('datapoint', { fields: ['comm', 'pid'] });

  it('tell processes of one name apart only where that is asked for', () => {
    const byName = new Labels(header, 'comm');
    expect([byName.of('a', 1), byName.of('b', 2), byName.of('a', 3)]).toEqual([0, 1, 0]);
    expect([byName.text(0), byName.text(1), byName.pids(0)]).toEqual(['a ×2', 'b', [1, 3]]);
    const byPid = new Labels(header, 'pid');
    expect([byPid.of('a', 1), byPid.of('a', 3)]).toEqual([0, 1]);
    expect([byPid.text(0), byPid.text(1)]).toEqual(['a (1)', 'a (3)']);
  });

  it('have a key that stays when processes come, so that a colour does', () => {
    const labels = new Labels(header, 'comm');
    const label = labels.of('a', 1);
    const before = labels.key(label);
    labels.of('a', 2);
    expect([labels.key(label), labels.name(label)]).toEqual([before, 'a']);
  });

  it('go by name alone where there are no processes', () => {
    const labels = new Labels(headerOf('datapoint', { fields: ['use'] }), 'pid');
    labels.of('free', undefined);
    expect([labels.text(0), labels.pids(0)]).toEqual(['free', undefined]);
  });
});
