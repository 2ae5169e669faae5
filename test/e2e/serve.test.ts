import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { inflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { FileListing } from '../../src/display/shape/listing.ts';
import type { PageManifest } from '../../src/display/shape/page.ts';
import { headerOf, writeFile } from '../support/data-files.ts';
import { ROOT } from '../support/folder.ts';
import { writeLargeFile } from '../support/large-file.ts';
import { type DataLine, dataOf, exchange, freePort, request, type Served, serve } from '../support/serve.ts';
import { makePlace, sleep } from './marple.ts';

const place = makePlace();
afterAll(() => place.remove());

const SECRET = 'what nobody may see';

beforeAll(async () => {
  mkdirSync(place.path('runs'));
  await writeLargeFile(place.path('runs/a.marple'), { events: 20_000, ios: 3000, samples: 5000 });
  writeFileSync(place.path('runs/broken.marple'), `${JSON.stringify(headerOf('stack', { bytes: 100 }))}\n1#a\n`);
  writeFileSync(place.path('secret.txt'), SECRET);
  await writeFile(place.path('outside.marple'), [
    { header: headerOf('stack', { interface: 'secret' }), records: [{ weight: 1, stack: [SECRET] }] },
  ]);
  symlinkSync(place.path('outside.marple'), place.path('runs/link.marple'));
});

async function filesOf({ url }: Served): Promise<FileListing[]> {
  return ((await (await fetch(`${url}files`)).json()) as { files: FileListing[] }).files;
}

async function idOf(served: Served, name = 'a.marple'): Promise<string> {
  return (await filesOf(served)).find((file) => file.name === name)!.id;
}

const OWN = (port: number): string => `Host: 127.0.0.1:${port}`;

describe('what is given out', () => {
  test('the list of files, and their reports, which are the pages of display -r', async () => {
    const served = await serve(place, ['runs']);
    const files = await filesOf(served);
    expect(files.map(({ name, problem }) => [name, problem]).sort()).toEqual([
      ['a.marple', undefined],
      ['broken.marple', expect.stringMatching(/cut off/)],
      ['link.marple', 'it is a link, and links in a folder are not followed'],
    ]);
    const { lines, packed } = await dataOf(`${served.url}data/${await idOf(served)}`);
    const shares = lines.flatMap(({ share }) => share ?? []);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));

    await place.marple(['display', '-r', '-i', 'runs/a.marple', '-o', 'a.html', '--force', '--no-open']);
    const html = readFileSync(place.path('a.html'), 'utf8');
    const part = (id: string): string => new RegExp(`id="${id}">([^<]*)<`).exec(html)![1]!;
    const embedded = JSON.parse(part('manifest')) as PageManifest;
    const { served: how, title, options, ...own } = lines.at(-1)!.manifest!;
    expect(own).toMatchObject({ sections: embedded.sections, findings: embedded.findings, filter: {} });
    expect(title).toBe('a.marple');
    expect(options).toEqual(embedded.options);
    expect(how).toMatchObject({ most: 1_000_000, time: { from: 0, to: 60 } });
    expect(inflateRawSync(packed)).toEqual(inflateRawSync(Buffer.from(part('data'), 'base64')));
  });

  test('with every answer the rules of a page that asks nobody else', async () => {
    const served = await serve(place, ['runs']);
    for (const path of ['', 'files', 'app.js', 'app.css', `report/${await idOf(served)}`, 'nothing']) {
      const { headers } = await fetch(served.url + path);
      const policy = headers.get('content-security-policy')!;
      expect(policy).toMatch(/^default-src 'none'; script-src 'self';/);
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|\*|https?:/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('access-control-allow-origin')).toBeNull();
    }
    const html = await (await fetch(served.url)).text();
    expect(html).not.toMatch(/<script(?! src="\/app\.js">)/);
    expect(html).not.toMatch(/\bstyle=|\bon\w+=/);
  });

  test('HEAD is answered as GET, without what it is about', async () => {
    const { port } = await serve(place, ['runs']);
    const answer = await exchange(port, request('HEAD /app.js HTTP/1.1', [OWN(port)]));
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(Number(/content-length: (\d+)/i.exec(answer)![1])).toBeGreaterThan(10_000);
    expect(answer.split('\r\n\r\n')[1]).toBe('');
  });

  test('a file that came later, and not one that went', async () => {
    const served = await serve(place, ['runs', 'outside.marple']);
    const id = await idOf(served, 'outside.marple');
    expect((await dataOf(`${served.url}data/${id}`)).lines.at(-1)!.manifest!.sections).toHaveLength(1);
    await writeFile(place.path('runs/later.marple'), [
      { header: headerOf('stack', { interface: 'memleak' }), records: [{ weight: 1, stack: ['a'] }] },
    ]);
    expect(await filesOf(served)).toContainEqual(expect.objectContaining({ name: 'later.marple' }));
    execFileSync('rm', [place.path('runs/later.marple')]);
    expect((await filesOf(served)).map(({ name }) => name)).not.toContain('later.marple');
  });

  test('a file that cannot be read says why, and where', async () => {
    const served = await serve(place, ['runs']);
    const { lines } = await dataOf(`${served.url}data/${await idOf(served, 'broken.marple')}`);
    expect(lines.at(-1)!.error).toMatch(/^broken\.marple:\d+: the file is cut off/);
    expect(lines.at(-1)!.hint).toBeDefined();
  });

  test('of another version of the file, or of no range of time, nothing', async () => {
    const served = await serve(place, ['runs']);
    const address = `${served.url}data/${await idOf(served)}`;
    const errorOf = async (query: string): Promise<DataLine> => (await dataOf(`${address}?${query}`)).lines.at(-1)!;
    expect((await errorOf('version=0&from=1&to=2')).error).toBe('the file has changed since this page was opened');
    for (const query of [
      'from=1',
      'version=1&from=2&to=1',
      'version=1&from=a&to=b',
      'version=1&from=&to=',
      'version=1&from=-Infinity&to=1',
      'version=1&from=1&to=2&section=a',
    ]) {
      expect((await errorOf(query)).error).toBe('this asks for no range of time');
    }
  });
});

describe('what is refused', () => {
  const PATHS = [
    '/secret.txt',
    '/../secret.txt',
    '/..%2f..%2fsecret.txt',
    '/%2e%2e/secret.txt',
    '/report/../../secret.txt',
    '/report/..%2f..%2fsecret.txt',
    '/data/..%2f..%2f..%2fetc%2fpasswd',
    '/data//etc/passwd',
    '//etc/passwd',
    '/data/0000000000000000/../../secret.txt',
    '/data/a.marple',
    '/data/%00',
    '/files/..',
    '/app.js/..',
    '\\..\\secret.txt',
  ];

  test('paths that lead anywhere, whatever they are written with', async () => {
    const { port, url } = await serve(place, ['runs']);
    const absolute = [place.path('secret.txt'), place.path('outside.marple'), '/etc/passwd'];
    for (const path of [
      ...PATHS,
      ...absolute,
      `/data${place.path('outside.marple')}`,
      `http://127.0.0.1:${port}/../x`,
    ]) {
      const answer = await exchange(port, request(`GET ${path} HTTP/1.1`, [OWN(port)]));
      expect(answer, path).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect(answer, path).not.toMatch(/root:|what nobody|marple"/);
    }
    expect((await fetch(`${url}data/0000000000000000`).then((r) => r.text())).trim()).toMatch(/no such data file/);
  });

  test('links out of the folder', async () => {
    const served = await serve(place, ['runs']);
    const { lines } = await dataOf(`${served.url}data/${await idOf(served, 'link.marple')}`);
    expect(lines.at(-1)!.error).toMatch(/it is a link/);
    expect(JSON.stringify(lines)).not.toContain(SECRET);
  });

  test('every name but its own: a site could give that to this machine', async () => {
    const { port } = await serve(place, ['runs']);
    const ask = (headers: readonly string[], version = '1.1'): Promise<string> =>
      exchange(port, request(`GET /files HTTP/${version}`, headers));
    for (const host of ['127.0.0.1', `127.0.0.1:${port}`, 'localhost', `LocalHost:${port}`, 'localhost:9000']) {
      expect(await ask([`Host: ${host}`]), host).toMatch(/^HTTP\/1\.1 200 /);
    }
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '0.0.0.0',
      '[::1]',
      '',
    ]) {
      const answer = await ask([`Host: ${host}`]);
      expect(answer, host).toMatch(/^HTTP\/1\.1 403 /);
      expect(answer, host).not.toContain('a.marple');
    }
    expect(await ask([])).toMatch(/^HTTP\/1\.1 400 /);
    expect(await ask([], '1.0')).toMatch(/^HTTP\/1\.1 403 /);
    expect(await ask([OWN(port), 'Host: evil.example'])).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('what the page of another site asks for; to go here from one is no such thing', async () => {
    const { port } = await serve(place, ['runs']);
    const ask = (site: string, mode: string): Promise<string> =>
      exchange(port, request('GET / HTTP/1.1', [OWN(port), `Sec-Fetch-Site: ${site}`, `Sec-Fetch-Mode: ${mode}`]));
    expect(await ask('cross-site', 'no-cors')).toMatch(/^HTTP\/1\.1 403 /);
    expect(await ask('same-site', 'cors')).toMatch(/^HTTP\/1\.1 403 /);
    expect(await ask('cross-site', 'navigate')).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask('same-origin', 'cors')).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('every method that could change something', async () => {
    const { port } = await serve(place, ['runs']);
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      const answer = await exchange(
        port,
        `${method} /files HTTP/1.1\r\n${OWN(port)}\r\nContent-Length: 5\r\n\r\nhello`,
      );
      expect(answer, method).toMatch(/^HTTP\/1\.1 405 /);
      expect(answer, method).toMatch(/\r\nallow: GET, HEAD\r\n/i);
    }
    expect(await exchange(port, request('CONNECT evil.example:80 HTTP/1.1', [OWN(port)]))).toBe('');
    expect(await exchange(port, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('what is too long', async () => {
    const { port, url } = await serve(place, ['runs']);
    expect(await exchange(port, request(`GET /${'a'.repeat(100_000)} HTTP/1.1`, [OWN(port)]))).toMatch(
      /^HTTP\/1\.1 431 /,
    );
    expect(await exchange(port, request('GET / HTTP/1.1', [OWN(port), `X: ${'a'.repeat(100_000)}`]))).toMatch(
      /^HTTP\/1\.1 431 /,
    );
    expect((await fetch(url)).status).toBe(200);
  });

  test('a request that does not end, after a while; others are answered meanwhile', async () => {
    const { port, url } = await serve(place, ['runs']);
    const half = exchange(port, `GET / HTTP/1.1\r\n${OWN(port)}\r\nX-Half: `, { quietMs: 60_000 });
    expect((await fetch(url)).status).toBe(200);
    expect(await half).toMatch(/^HTTP\/1\.1 408 /);
  });

  test.skipIf(!ROOT)('other users of this machine', async () => {
    const { url, port } = await serve(place, ['runs']);
    const ask = `fetch('${url}files').then(async (r) => console.log(r.status, await r.text()))`;
    const asUser = (uid: number): string =>
      execFileSync('setpriv', [`--reuid=${uid}`, '--clear-groups', process.execPath, '-e', ask], { encoding: 'utf8' });
    expect(asUser(65534)).toBe('403 this server is for the user alone who started it\n\n');
    expect(asUser(0)).toMatch(/^200 .*a\.marple/);
    expect(port).toBeGreaterThan(0);
  });

  test.skipIf(!ROOT)('but not the one who typed sudo', async () => {
    const { url } = await serve(place, ['runs'], { env: { SUDO_UID: '65534', SUDO_GID: '65534' } });
    const ask = `fetch('${url}files').then((r) => console.log(r.status))`;
    const asUser = (uid: number): string =>
      execFileSync('setpriv', [`--reuid=${uid}`, '--clear-groups', process.execPath, '-e', ask], { encoding: 'utf8' });
    expect([asUser(65534), asUser(65533)]).toEqual(['200\n', '403\n']);
  });
});

describe('its end', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s, with connections open: exit code %i, and nothing stays', async (signal, code) => {
    const served = await serve(place, ['runs']);
    await fetch(served.url);
    for (const bytes of ['', 'GET / HTTP/1.1\r\n', request('GET /app.js HTTP/1.1', [OWN(served.port)])]) {
      const socket = connect({ port: served.port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      socket.write(bytes);
      onTestFinished(() => void socket.destroy());
    }
    await sleep(200);
    served.kill(signal);
    const ended = await served.ended;
    expect(ended.code).toBe(code);
    expect(ended.stdout).toBe(`${served.url}\n`);
    expect(ended.stderr).toBe('serving 3 data files; Ctrl-C ends it\n');
    expect(place.leftovers()).toEqual([]);
  });

  test('while a large file is read', async () => {
    await writeLargeFile(place.path('large.marple'), { events: 1_500_000, ios: 0, samples: 0 });
    const served = await serve(place, ['large.marple']);
    const reading = fetch(`${served.url}data/${await idOf(served, 'large.marple')}`);
    const reader = (await reading).body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toMatch(/^\{"share":/);
    served.kill('SIGINT');
    expect((await served.ended).code).toBe(130);
    await expect(
      (async () => {
        for (;;) if ((await reader.read()).done) return;
      })(),
    ).rejects.toThrow();
    expect(place.leftovers()).toEqual([]);
  });
});

describe('where it listens', () => {
  test('at the port of the config; where that is in use at another, which is said', async () => {
    const port = await freePort();
    mkdirSync(place.path('config/marple'), { recursive: true });
    writeFileSync(place.path('config/marple/config.txt'), `[serve]\nport = ${port}\n`);
    onTestFinished(() => void execFileSync('rm', ['-r', place.path('config')]));
    const first = place.start(['serve', 'runs', '--no-open']);
    await first.says('Ctrl-C ends it');
    const second = place.start(['serve', 'runs', '--no-open', '--json']);
    await second.says('Ctrl-C ends it');
    for (const running of [first, second]) running.kill('SIGTERM');
    expect((await first.ended).stdout).toBe(`http://127.0.0.1:${port}/\n`);
    const ended = await second.ended;
    expect(ended.stderr).toMatch(new RegExp(`^warning: port ${port} is in use: port \\d+ is taken\n`));
    const said = JSON.parse(ended.stdout) as { url: string; port: number };
    expect(said).toMatchObject({ host: '127.0.0.1', files: 3, url: `http://127.0.0.1:${said.port}/` });
    expect(said.port).not.toBe(port);
  });

  test('at an address of the whole machine it says what that means, and has its names', async () => {
    const { port, kill, ended } = await serve(place, ['runs', '--host', '0.0.0.0']);
    const ask = (host: string): Promise<string> => exchange(port, request('GET /files HTTP/1.1', [`Host: ${host}`]));
    expect(await ask('127.0.0.1')).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask('evil.example')).toMatch(/^HTTP\/1\.1 403 /);
    kill('SIGTERM');
    expect((await ended).stderr).toMatch(
      /^warning: whoever reaches 0\.0\.0\.0 can read these files: there is no password$/m,
    );
  });

  test('at ::1', async () => {
    const { port } = await serve(place, ['runs', '--host', '::1']);
    const ask = (host: string): Promise<string> =>
      exchange(port, request('GET /files HTTP/1.1', [`Host: ${host}`]), { host: '::1' });
    expect(await ask(`[::1]:${port}`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask('evil.example')).toMatch(/^HTTP\/1\.1 403 /);
  });

  test('only there: no other address of the machine answers', async () => {
    const { port } = await serve(place, ['runs']);
    await expect(exchange(port, request('GET / HTTP/1.1', [OWN(port)]), { host: '127.0.0.2' })).rejects.toThrow(
      'ECONNREFUSED',
    );
  });
});

describe('a mistake is one sentence, a hint and exit code 2', () => {
  test('a port that is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await sleep(50);
    const { port } = server.address() as { port: number };
    const ended = await place.marple(['serve', 'runs', '--port', String(port)]);
    server.close();
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toBe(
      `marple: port ${port} of 127.0.0.1 is in use\nhint: take another: --port 0 takes a free one\n`,
    );
  });

  test.each([
    [
      'an address of another machine',
      ['runs', '--host', '192.0.2.1'],
      /192\.0\.2\.1 is no address of this machine/,
      /ip -brief address/,
    ],
    [
      'a name that is none',
      ['runs', '--host', 'no.such.host.invalid'],
      /the host no\.such\.host\.invalid is not known/,
      /--host 127\.0\.0\.1/,
    ],
    ['a port that is none', ['runs', '--port', '70000'], /--port takes a whole number from 0 to 65535/, /--port/],
    ['no such folder', ['nowhere'], /nowhere cannot be served: there is no such file or folder/, /marple serve/],
    ['stdin', ['-'], /stdin cannot be served/, /cat/],
    ['nothing collected yet', [], /there is no folder marple_out here/, /marple serve/],
  ])('%s', async (_, args, sentence, hint) => {
    const ended = await place.marple(['serve', ...args]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(sentence);
    expect(ended.stderr.split('hint: ')[1]).toMatch(hint);
    expect(ended.stderr).not.toMatch(/^\s+at /m);
  });

  test('its help says how it ends', async () => {
    const { stdout, code } = await place.marple(['serve', '--help']);
    expect(code).toBe(0);
    expect(stdout.replace(/\s+/g, ' ')).toMatch(/Exit code 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP/);
  });
});
