import { expect } from 'vitest';
import { adminUrl, databaseUrl, freshDatabase } from '../support/database.ts';
import type { Entry } from './catalogue.ts';
import type { StoryOptions } from './stories/story.ts';

/** Tells a story of the catalogue on the run's database, or on one that it needs: nothing may be found. */
export async function tellShort(
  { story, database }: Entry,
  options: Pick<StoryOptions, 'seed'> & Partial<StoryOptions>,
): Promise<void> {
  const fresh = database === 'fresh' ? await freshDatabase() : null;
  try {
    const shared = database === 'own' ? {} : { database: fresh ?? { url: databaseUrl(), adminUrl: adminUrl() } };
    const { anomalies, rounds } = await story({ ...shared, ...options });
    expect(anomalies).toEqual([]);
    expect(rounds).toBeGreaterThan(0);
  } finally {
    await fresh?.drop();
  }
}
