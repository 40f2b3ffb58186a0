/** A fault as it may be logged: where it happened, never what somebody wrote. */
export interface LoggedFault {
  readonly name: string;
  readonly code?: string;
  /** Only of errors whose messages are ours; a database's quotes values and whole statements. */
  readonly message?: string;
  /** Of the database: what was violated. */
  readonly constraint?: string;
  /** Stack frames without the message. */
  readonly at?: readonly string[];
}

/** Messages of these quote what they were given. */
const QUOTING = /^(SyntaxError|DatabaseError|error|.*Exception|EtaRuntime Error|ZodError)$/;

/** What of a thrown value goes into the log. */
export function loggedFault(thrown: unknown): LoggedFault {
  if (!(thrown instanceof Error)) return { name: typeof thrown };
  const { code, constraint } = databaseFields(thrown);
  const quotes = QUOTING.test(thrown.name) || QUOTING.test(thrown.constructor.name) || /^[0-9A-Z]{5}$/.test(code ?? '');
  return {
    name: thrown.name,
    ...(code === undefined ? {} : { code }),
    ...(constraint === undefined ? {} : { constraint }),
    ...(quotes ? {} : { message: thrown.message }),
    at: frames(thrown),
  };
}

function databaseFields(error: Error): { code?: string; constraint?: string } {
  const read = (name: string) => {
    const value: unknown = Reflect.get(error, name);
    return typeof value === 'string' ? value : undefined;
  };
  const code = read('code');
  const constraint = read('constraint');
  return { ...(code === undefined ? {} : { code }), ...(constraint === undefined ? {} : { constraint }) };
}

function frames(error: Error): string[] {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 12)
    .map((line) => line.trim());
}
