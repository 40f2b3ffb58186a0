import { redisServer, startRedis } from '../../nodes/processes.ts';

/** A Redis of the lab's own. */
export interface LabRedis {
  readonly port: number;
  die(): Promise<void>;
}

/** Whether Debian's redis-server is installed; without it the rows over Redis are skipped, and say so. */
export function hasRedis(): boolean {
  return redisServer() !== null;
}

/** @throws when redis-server is not installed */
export async function openLabRedis(): Promise<LabRedis> {
  const binary = redisServer();
  if (!binary) throw new Error('redis-server is not installed (Debian: apt-get install redis-server)');
  const redis = await startRedis(binary);
  return { port: Number(new URL(redis.url).port), die: redis.die };
}
