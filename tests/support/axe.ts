import axe from 'axe-core';
import type { Page } from 'playwright-core';

/**
 * What axe finds wrong with a page as it stands: a line for each rule, with the elements; empty is good. `colours` looks at
 * contrast alone, for a page that was just looked at whole in its other theme. It runs in the page itself, and frames are
 * not looked into; `@axe-core/playwright` does that, at six times the price.
 */
export async function faultsOf(page: Page, what: 'everything' | 'colours' = 'everything'): Promise<string[]> {
  // half a megabyte that a page keeps until it is left
  if (!(await page.evaluate('"axe" in window'))) await page.evaluate(axe.source);
  // what fades in has less contrast on its way
  await page.evaluate(`for (const one of document.getAnimations()) {
    if (Number.isFinite(one.effect?.getComputedTiming().endTime)) one.finish();
  }`);
  const options: axe.RunOptions = {
    resultTypes: ['violations'],
    ...(what === 'colours' ? { runOnly: { type: 'tag', values: ['cat.color'] } } : {}),
  };
  const { violations } = await page.evaluate<axe.AxeResults>(`axe.run(document, ${JSON.stringify(options)})`);
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`);
}
