import type { Reader } from '../views/index.ts';
import { readCookie } from './cookies.ts';
import type { RouteInput } from './route.ts';

/** A browser tells its zone in this cookie (public/js/60-times.js); anybody can write anything into it. */
const ZONE_COOKIE = 'tz';
/** The few hundred names that the runtime lists; asking it costs more than a page. */
const ZONES: ReadonlySet<string> = new Set([...Intl.supportedValuesOf('timeZone'), 'UTC']);

/** The reader of a page: times in the browser's own zone once it has told it, in `zone` (the tenant's) before. */
export function pageReader(input: Pick<RouteInput<unknown, unknown, unknown>, 'ctx' | 'reader'>, zone: string): Reader {
  return { ...input.reader, zone: zoneOf(readCookie(input.ctx.req.headers.cookie, ZONE_COOKIE)) ?? zone };
}

/** Null unless it is a zone that the runtime knows, so that formats can be kept per zone. */
function zoneOf(cookie: string | undefined): string | null {
  const name = cookie?.replaceAll('%2F', '/');
  return name !== undefined && ZONES.has(name) ? name : null;
}
