import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, type Page, chromium as playwright } from 'playwright-core';

/** What Chromium is started with: no sandbox (tests run as root too), nothing that calls home. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const SYSTEM_BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** The browser of this worker: a start costs a second, and what its files share is a program, no profile. */
let running: Promise<Browser> | undefined;

/**
 * A real Chromium: the machine's own where there is one (or `CHROMIUM_PATH`), otherwise the one of @sparticuz/chromium,
 * which unpacks itself and its libraries. Closing it closes its windows; the program serves the next test file.
 */
export async function launchBrowser(): Promise<Browser> {
  const before = await running;
  if (before?.isConnected()) return before;
  running = launch();
  return running;
}

async function launch(): Promise<Browser> {
  const browser = await playwright.launch({ executablePath: await browserPath(), args: FLAGS, headless: true });
  return Object.assign(browser, {
    close: async () => void (await Promise.all(browser.contexts().map((context) => context.close()))),
  });
}

/** The same with a profile on disk, as a person has it: what pages keep is still there after the browser was killed. */
export async function launchProfile(folder: string): Promise<BrowserContext> {
  const executablePath = await browserPath();
  return playwright.launchPersistentContext(folder, { executablePath, args: FLAGS, headless: true });
}

async function browserPath(): Promise<string> {
  const own = [process.env['CHROMIUM_PATH'], ...SYSTEM_BROWSERS].find((path) => path && existsSync(path));
  if (own) return own;
  // It unpacks its libraries only where it believes to be on Lambda, and looks at this when it is imported.
  process.env['AWS_LAMBDA_JS_RUNTIME'] ??= 'nodejs22.x';
  const { default: chromium } = await import('@sparticuz/chromium');
  return chromium.executablePath();
}

/** Does what leads to another page, and waits until that one is read to its end: what is asked next is asked of it. */
export async function turn(page: Page, act: () => Promise<unknown>): Promise<void> {
  await Promise.all([page.waitForEvent('domcontentloaded'), act()]);
}

/** A step back to an address that htmx pushed: the page loads itself anew for it, which Playwright takes for a failure. */
export function stepBack(page: Page): Promise<void> {
  return turn(page, () => page.evaluate('setTimeout(() => history.back()), null'));
}
