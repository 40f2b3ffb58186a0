import { existsSync } from 'node:fs';
import { type Browser, chromium as playwright } from 'playwright-core';

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

/**
 * A real Chromium: the machine's own where there is one (or `CHROMIUM_PATH`), otherwise the one of @sparticuz/chromium,
 * which unpacks itself and its libraries. Close it when done.
 */
export async function launchBrowser(): Promise<Browser> {
  const own = [process.env['CHROMIUM_PATH'], ...SYSTEM_BROWSERS].find((path) => path && existsSync(path));
  if (own) return playwright.launch({ executablePath: own, args: FLAGS, headless: true });
  // It unpacks its libraries only where it believes to be on Lambda, and looks at this when it is imported.
  process.env['AWS_LAMBDA_JS_RUNTIME'] ??= 'nodejs22.x';
  const { default: chromium } = await import('@sparticuz/chromium');
  return playwright.launch({ executablePath: await chromium.executablePath(), args: FLAGS, headless: true });
}
