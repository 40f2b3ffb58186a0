import pg from 'pg';
import { roleNames } from '../../src/platform/database/index.ts';
import { type Figure, percentile } from './figures.ts';
import type { BenchDatabase } from './workload.ts';

const ROUNDS = 4_000;

/**
 * What row-level security costs: the same prepared reads as the app's role with its tenant set, and as a role that the
 * policies do not touch. Medians of one connection, in turn.
 */
export async function measureIsolation({ url, adminUrl }: BenchDatabase): Promise<Figure[]> {
  const fenced = new pg.Client({ connectionString: url, options: `-c role=${roleNames(url).app}` });
  const open = new pg.Client({ connectionString: adminUrl });
  await Promise.all([fenced.connect(), open.connect()]);
  try {
    // As autovacuum would have by now: plans made from nothing would be compared otherwise.
    await open.query('analyze');
    const { rows } = await open.query<{ tenant_id: string; id: string }>(
      'select tenant_id, id from conversations order by last_seq desc limit 1',
    );
    const sample = rows[0];
    if (!sample) throw new Error('there is no conversation to read');
    await fenced.query("select set_config('app.tenant_id', $1, false)", [sample.tenant_id]);
    const reads: [what: string, text: string][] = [
      ['row-level security, one row by id', 'select * from conversations where id = $1'],
      [
        'row-level security, newest 50 messages',
        'select * from messages where conversation_id = $1 order by seq desc limit 50',
      ],
    ];
    const figures: Figure[] = [];
    for (const [what, text] of reads) {
      const times: Record<'ours' | 'raw', number[]> = { ours: [], raw: [] };
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const [which, client] of [
          ['ours', fenced],
          ['raw', open],
        ] as const) {
          const began = performance.now();
          const found = await client.query({ name: what, text, values: [sample.id] });
          if (round >= ROUNDS / 10) times[which].push(performance.now() - began);
          if (found.rowCount === 0) throw new Error(`${what}: nothing found`);
        }
      }
      const [ours, raw] = [percentile(times.ours, 0.5), percentile(times.raw, 0.5)];
      figures.push({ what, unit: 'ms', ours, raw, rawIs: 'the same read without policies' });
    }
    return figures;
  } finally {
    await Promise.all([fenced.end(), open.end()]);
  }
}
