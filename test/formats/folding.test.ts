import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FoldingOptions, foldSample, frameNames, rootFrame, sampleWeight } from '../../src/formats/folding.ts';
import { type PerfSample, readPerfScript } from '../../src/formats/perf-script.ts';

function name(symbol: string, module = '/usr/lib/libc.so.6', options: FoldingOptions = {}, root = 'prog'): string[] {
  return frameNames({ address: '7f12', symbol, module }, root, options);
}

function sampleOf(text: string): PerfSample {
  return [...readPerfScript(text.split('\n'), () => undefined)][0] as PerfSample;
}

describe('names of frames', () => {
  test.each([
    ['main', ['main']],
    ['cpu_startup_entry+0x800047c022ec', ['cpu_startup_entry']],
    ['f+0x10+0x20', ['f+0x10']],
    ['+0x1f', ['[libc.so.6]']],
    ['(perf)', []],
    ['foo(int, char*)', ['foo']],
    ['foo (int)', ['foo ']],
    ['std::foo<(A)1>::bar(int)', ['std::foo<']],
    ['v8::internal::(anonymous namespace)::Invoke(Isolate*)', ['v8::internal::(anonymous namespace)::Invoke']],
    ['(anonymous namespace)::f', []],
    ['a(anonymous namespace)::b(anonymous namespace)(c', ['a(anonymous namespace)::b(anonymous namespace)']],
    ['net/http.(*Client).Do', ['net/http.(*Client).Do']],
    ['net/http.(*Client)', ['net/http.']],
    ['a.(b', ['a.']],
    ['a;b', ['a:b']],
    ['RegExp:[&<>"\']', ['RegExp:[&<>]']],
    ['outer->inner', ['outer', 'inner_[i]']],
    ['a->b->c', ['a', 'b_[i]', 'c_[i]']],
    ['a(int)->b_[i]', ['a', 'b_[i]']],
    ['operator->', ['operator']],
  ])('%j', (symbol, expected) => expect(name(symbol)).toEqual(expected));

  test.each([
    ['/usr/lib/libc.so.6', '[libc.so.6]', '[libc.so.6 <7f12>]'],
    ['[unknown]', '[unknown]', '[unknown <7f12>]'],
    ['[vdso]', '[[vdso]]', '[[vdso] <7f12>]'],
    ['/tmp/example/gone (deleted)', '[gone]', '[gone <7f12>]'],
    ['[kernel.kallsyms]_text', '[[kernel.kallsyms]_text]', '[[kernel.kallsyms]_text <7f12>]'],
    ['//anon', '[anon]', '[anon <7f12>]'],
  ])('without a symbol %j stands in', (module, plain, withAddress) => {
    expect(name('[unknown]', module)).toEqual([plain]);
    expect(name('', module)).toEqual([plain]);
    expect(name('[unknown]', module, { addrs: true })).toEqual([withAddress]);
    expect(name('main', module, { addrs: true })).toEqual(['main']);
  });

  test('java: the leading L of a class is cut, of nothing else', () => {
    const method = 'Lorg/mozilla/javascript/MemberBox;.<init>(Ljava/lang/reflect/Method;)V';
    expect(name(method, '/tmp/perf-1.map', {}, 'java')).toEqual(['org/mozilla/javascript/MemberBox:.<init>']);
    expect(name(method, '/tmp/perf-1.map', {}, 'java-25/26')).toEqual(['org/mozilla/javascript/MemberBox:.<init>']);
    expect(name(method, '/tmp/perf-1.map', {}, 'node')).toEqual(['Lorg/mozilla/javascript/MemberBox:.<init>']);
    expect(name('LeaveCritical', '/x', {}, 'java')).toEqual(['LeaveCritical']);
  });

  test.each([
    ['[kernel.kallsyms]', true],
    ['[nf_conntrack_ipv4]', true],
    ['/boot/vmlinux', true],
    ['[vdso]', true],
    ['[unknown]', false],
    ['/usr/lib/libc.so.6', false],
    ['/boot/vmlinux.old', false],
  ])('kernel: %j', (module, kernel) => {
    expect(name('f', module, { kernel: true })).toEqual([kernel ? 'f_[k]' : 'f']);
    expect(name('f', module, { jit: true })).toEqual(['f']);
    expect(name('f', module)).toEqual(['f']);
  });

  test('jit, and nothing twice', () => {
    const map = '/tmp/perf-7539.map';
    expect(name('f', map, { jit: true, kernel: true })).toEqual(['f_[j]']);
    expect(name('f', '/tmp/perf-x.map', { jit: true })).toEqual(['f']);
    expect(name('f_[j]', map, { jit: true })).toEqual(['f_[j]']);
    expect(name('f_[k]', '[kernel]', { kernel: true })).toEqual(['f_[k]']);
    expect(name('a->b->c', map, { jit: true })).toEqual(['a_[j]', 'b_[i]', 'c_[i]']);
    expect(name('a->b', '[kernel]', { kernel: true })).toEqual(['a_[k]', 'b_[i]']);
  });
});

describe('stacks', () => {
  const text =
    'V8 Worker 24/25 [000] 1.5: 7 cycles:\n\tff81 leaf ([kernel.kallsyms])\n\t1f a->b (/x)\n\t2f main (/x)\n';

  test('root first, inlined functions in their order', () => {
    expect(foldSample(sampleOf(text))).toEqual(['V8_Worker', 'main', 'a', 'b_[i]', 'leaf']);
    expect(foldSample(sampleOf(text), { tid: true, kernel: true })).toEqual([
      'V8_Worker-24/25',
      'main',
      'a',
      'b_[i]',
      'leaf_[k]',
    ]);
  });

  test('the root says which process, where that is asked for and known', () => {
    expect(rootFrame({ comm: 'a b', pid: 1, tid: 2 })).toBe('a_b');
    expect(rootFrame({ comm: 'a b', pid: 1, tid: 2 }, { pid: true })).toBe('a_b-1');
    expect(rootFrame({ comm: 'a b', pid: undefined, tid: 2 }, { pid: true })).toBe('a_b-?');
    expect(rootFrame({ comm: 'a b', pid: undefined, tid: 2 }, { tid: true })).toBe('a_b-?/2');
  });

  test('a sample without frames is its root alone', () => {
    expect(foldSample(sampleOf('idle 1 1.5: cycles:\n'))).toEqual(['idle']);
  });

  test('the weight is the period, where it is printed and not 0', () => {
    expect(sampleWeight(sampleOf(text))).toBe(7);
    expect(sampleWeight(sampleOf('a 1 1.5: 0 cycles:\n'))).toBe(1);
    expect(sampleWeight(sampleOf('a 1 1.5: cycles:\n'))).toBe(1);
  });

  test('no name holds what separates frames, whatever the symbol', () => {
    const symbol = fc.oneof(
      fc.string(),
      fc
        .array(fc.constantFrom('.(', ').', ';', '->', '(anonymous namespace)', '+0x1', 'L/', '"', 'f'))
        .map((p) => p.join('')),
    );
    fc.assert(
      fc.property(symbol, fc.string(), fc.constantFrom('java', 'x'), (text, module, root) => {
        for (const frame of name(text, module, { addrs: true, jit: true, kernel: true }, root)) {
          expect(frame).not.toContain(';');
          expect(frame).not.toMatch(/["']/);
        }
      }),
    );
  });
});
