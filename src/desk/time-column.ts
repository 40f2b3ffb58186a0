/** A time as statements without entities give it: the ORM's connections leave it as PostgreSQL writes it. */
export type TimeColumn = string | Date;

/** The instant; null stays null. */
export function timeOf(column: TimeColumn): Date;
export function timeOf(column: TimeColumn | null): Date | null;
export function timeOf(column: TimeColumn | null): Date | null {
  return column === null ? null : new Date(column);
}
