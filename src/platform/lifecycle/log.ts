import { destination, type Logger, pino } from 'pino';
import type { LogLevel } from '../config/index.ts';
import { loggedFault } from '../http/index.ts';

/**
 * The program's log: JSON lines on stderr (or another open file), so that stdout stays for what was asked for (the ready line, a task's
 * answer). Credentials are struck out wherever a request or an error carries them, and of an error (`err`) no more is
 * written than `loggedFault` lets through: PostgreSQL quotes whole rows in what it says of a refused one.
 */
export function openLog(level: LogLevel, fd = 2): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      serializers: { err: loggedFault },
      redact: {
        paths: ['authorization', 'cookie', 'password', 'token', 'secret'].flatMap((name) => [
          name,
          `*.${name}`,
          `*.headers.${name}`,
        ]),
        censor: '[redacted]',
      },
    },
    destination({ fd, sync: true }),
  );
}
