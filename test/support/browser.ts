import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, expect, onTestFinished } from 'vitest';
import { lastingFolder } from './folder.ts';

/** Without these the browser looks for its maker's services. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

let browser: Promise<Browser> | undefined;

afterAll(async () => {
  await (await browser)?.close();
});

function theBrowser(): Promise<Browser> {
  browser ??= chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: QUIET,
    env: { ...process.env, HOME: lastingFolder() } as Record<string, string>,
  });
  return browser;
}

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
  /** Runs in the page before its own script. */
  readonly before?: string;
}

/**
 * Opens a page that MARPLE wrote, in a real browser, and waits until it is up. The test fails where the page asks for
 * anything from elsewhere, or an error is thrown in it.
 */
export async function openPage(path: string, options: PageOptions = {}): Promise<Page> {
  const page = await plainPage(pathToFileURL(path).href, options);
  await page.waitForSelector('#app[data-ready="true"]');
  return page;
}

/** The same for any page. */
export function plainPage(address: string, options: PageOptions = {}): Promise<Page> {
  return watchedPage(address, options, /^(file|data|blob):/);
}

/** The same for a page of a server, which may ask that server, and nobody else. */
export function servedPage(address: string, options: PageOptions = {}): Promise<Page> {
  const { origin } = new URL(address);
  return watchedPage(address, options, new RegExp(`^(${origin}/|data:|blob:)`));
}

async function watchedPage(address: string, options: PageOptions, mayAsk: RegExp): Promise<Page> {
  const context: BrowserContext = await (await theBrowser()).newContext({
    viewport: { width: options.width ?? 1280, height: options.height ?? 800 },
    colorScheme: options.dark === true ? 'dark' : 'light',
    offline: address.startsWith('file:'),
  });
  const page = await context.newPage();
  if (options.before !== undefined) await page.addInitScript(options.before);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  page.on('request', (request) => {
    const url = request.url();
    if (!mayAsk.test(url)) problems.push(`asks for ${url}`);
  });
  onTestFinished(async () => {
    await context.close();
    expect(problems).toEqual([]);
  });
  await page.goto(address);
  return page;
}
