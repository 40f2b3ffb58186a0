import type pg from 'pg';

/** A value as a column takes it; objects become JSON. */
type Value = string | number | boolean | Date | null | object;

/** A column and the type that its values are sent as. */
export type Columns<Row> = { readonly [Name in keyof Row & string]: string };

/**
 * Inserts many rows with one statement: each column goes over as one array (`unnest`), so that the statement is parsed
 * once and no row is a round trip. `columns` gives PostgreSQL's type of each, by its name.
 */
export async function writeRows<Row extends Readonly<Record<string, Value>>>(
  client: pg.ClientBase,
  table: string,
  columns: Columns<Row>,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  const names = Object.keys(columns) as (keyof Row & string)[]; // its own keys
  const arrays = names.map((_, index) => `$${index + 1}::${textFor(columns[names[index] ?? ''] ?? 'text')}[]`);
  const casts = names.map((name) => (columns[name] === 'jsonb' ? `${name}::jsonb` : name));
  await client.query({
    name: `volume ${table}`,
    text: `insert into ${table} (${names.join(', ')}) select ${casts.join(', ')} from unnest(${arrays.join(', ')}) as row (${names.join(', ')})`,
    values: names.map((name) => rows.map((row) => sent(row[name]))),
  });
}

/** JSON goes over as text: pg would make an array of an array of it. */
function textFor(type: string): string {
  return type === 'jsonb' ? 'text' : type;
}

function sent(value: Value | undefined): unknown {
  if (value instanceof Date) return value.toISOString();
  return value !== null && typeof value === 'object' ? JSON.stringify(value) : value;
}
