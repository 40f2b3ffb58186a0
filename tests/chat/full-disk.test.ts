/** The server's disk is full: PostgreSQL refuses to write (53100). A clear sentence, and the text is kept. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillDisk, type Stage, say, setStage, shown, startConversation } from './windows.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await setStage();
});
afterAll(() => stage?.stop());

describe('a full disk', () => {
  it.each([
    ['with', true, 'rahim', 'driver'],
    ['without', false, 'ayesha', 'customer'],
  ] as const)(
    '%s script: says so, keeps the text, and sends it when there is room',
    async (_, javaScriptEnabled, who, type) => {
      const { page, context } = await stage.open(who, { javaScriptEnabled });
      const path = await startConversation(page, stage.app.base, 'Hello', type);
      const room = await fillDisk(stage);
      try {
        await say(page, 'Nowhere to go');
        await page.getByText('The server has no room at the moment').waitFor();
        if (javaScriptEnabled) expect(await page.locator('#pending .body').textContent()).toBe('Nowhere to go');
        else expect(await page.locator('#body').inputValue()).toBe('Nowhere to go');
      } finally {
        await room();
      }
      if (javaScriptEnabled) await page.click('[data-again]');
      else await page.getByRole('button', { name: 'Send again' }).click();
      await expect.poll(async () => (await shown(page)).filter((text) => text === 'Nowhere to go')).toHaveLength(1);
      expect(new URL(page.url()).pathname).toBe(path);
      await context.close();
    },
  );

  it('a first message is kept too', async () => {
    const { page, context } = await stage.open('kacchi-house', { javaScriptEnabled: false });
    await page.goto(`${stage.app.base}/restaurant/support`);
    await page.locator('#topic').selectOption('payout');
    await page.fill('#body', 'Where is my money?');
    const room = await fillDisk(stage);
    try {
      await page.click('#new button.primary');
      await page.getByText('The server has no room at the moment').waitFor();
      expect(await page.locator('#body').inputValue()).toBe('Where is my money?');
    } finally {
      await room();
    }
    await page.getByRole('button', { name: 'Send again' }).click();
    await page.waitForURL(/\/conversations\//);
    expect(await page.locator('.top-title').textContent()).toContain('Payouts');
    await context.close();
  });
});
