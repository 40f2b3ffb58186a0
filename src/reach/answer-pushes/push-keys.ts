import { createSealer } from '../../identity/index.ts';
import type { Database, Log } from '../../platform/database/index.ts';
import { newPushKeys } from '../../platform/outbound/index.ts';

/** What the sealed key belongs to. */
const PURPOSE = 'push keys';

interface Pair {
  readonly publicKey: string;
  readonly privateKey: string;
}

interface Row {
  readonly public_key: string;
  readonly sealed_private_key: Buffer;
}

/**
 * The installation's keys for web push (VAPID): made at the first start, kept in the database for all nodes, the
 * private one sealed with SECRET_KEY. With another SECRET_KEY it cannot be opened any more; then a new pair is made,
 * and browsers subscribe anew when their people come by.
 */
export async function keepPushKeys(
  { systemPool }: Pick<Database, 'systemPool'>,
  secretKey: Buffer,
  log: Log,
): Promise<Pair> {
  const sealer = createSealer(secretKey);
  const open = ({ public_key: publicKey, sealed_private_key: sealed }: Row): Pair | null => {
    try {
      return { publicKey, privateKey: sealer.open(sealed, `${PURPOSE} ${publicKey}`) };
    } catch {
      return null;
    }
  };
  const { rows: kept } = await systemPool.query<Row>('select * from push_key()');
  const [found] = kept;
  const pair = found && open(found);
  if (pair) return pair;
  if (found) log.warn({}, 'SECRET_KEY has changed: new keys for web push are made, and devices have to subscribe anew');
  const made = newPushKeys();
  const { rows } = await systemPool.query<Row>('select * from keep_push_key($1, $2, $3)', [
    made.publicKey,
    sealer.seal(made.privateKey, `${PURPOSE} ${made.publicKey}`),
    found?.public_key ?? '',
  ]);
  // another node may have been faster
  const held = rows[0] && open(rows[0]);
  if (!held) throw new Error('The nodes of this installation have different values of SECRET_KEY.');
  return held;
}
