/** A private PostgreSQL with the product's schema, on a disk, fsync on. */
export interface BenchDatabase {
  /** As the owner; the app's pools become the app's role by themselves. */
  readonly url: string;
  /** As the superuser. */
  readonly adminUrl: string;
  /** The postmaster, for its CPU time. */
  readonly pid: number;
}

/** What is sent: 120 bytes, as in the side-by-side bench of the design. */
export const BODY =
  'Hello, my order 4711 has not arrived yet and I would like to know where the parcel is now. Could you please check it? ab';

/** Each measurement takes this long, after a second to warm up. */
export const SECONDS = 6;

/** Conversations of the closed loop: one message in flight each. */
export const CONVERSATIONS = 100;

/** A log that says nothing. */
export const quiet = { info() {}, debug() {}, warn() {}, error() {} };
