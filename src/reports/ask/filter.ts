import { type RawBuilder, sql } from 'kysely';

/** What a report is narrowed to; null does not narrow. */
export interface ReportFilter {
  readonly userType: string | null;
  /** '' is conversations without a topic. */
  readonly topic: string | null;
  /** '' is people of whom no country is known. */
  readonly country: string | null;
  /** An admin's id, or `none`: nobody holds it. */
  readonly agent: string | null;
}

/** The sums' name of a filter, as jsonb; null for one that has no sums of its own (an agent and something else). */
export function cellOf({ userType, topic, country, agent }: ReportFilter): string | null {
  if (agent !== null && (userType ?? topic ?? country) !== null) return null;
  const parts = { c: country, t: topic, u: userType, a: agent };
  return JSON.stringify(Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== null)));
}

/** Conditions, each with its `and`, on columns of a table of facts. */
export function narrowed(filter: ReportFilter, alias: string, agentColumn = 'agent_id'): RawBuilder<unknown> {
  const column = (name: string) => sql.ref(`${alias}.${name}`);
  const conditions = [
    filter.userType === null ? null : sql`and ${column('user_type')} = ${filter.userType}`,
    filter.topic === null ? null : sql`and ${column('topic')} = ${filter.topic}`,
    filter.country === null ? null : sql`and ${column('country')} = ${filter.country}`,
    agentCondition(filter.agent, column(agentColumn)),
  ].filter((one) => one !== null);
  return sql.join(conditions, sql` `);
}

function agentCondition(agent: string | null, column: RawBuilder<unknown>): RawBuilder<unknown> | null {
  if (agent === null) return null;
  return agent === 'none' ? sql`and ${column} is null` : sql`and ${column} = ${agent}::uuid`;
}
