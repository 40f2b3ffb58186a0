import { CONVERSATION_ROOM, conversationRoom } from '../../messaging/index.ts';
import type { Database, Log } from '../../platform/database/index.ts';
import type { Hub } from '../../platform/realtime/index.ts';
import { stream, type Views } from '../../platform/views/index.ts';
import type { Desk } from '../desk.ts';
import { MEASURED_FOR_MS, MIN_MEASURED } from '../queue/queue-position.ts';
import type { SupportState } from '../queue/support-state.ts';

/** What tells open chats how it stands is made from. */
export interface QueueLiveDeps {
  readonly hub: Hub;
  readonly database: Pick<Database, 'systemPool'>;
  readonly views: Views;
  readonly desk: Pick<Desk, 'supportState'>;
  readonly log: Log;
  /** IANA zone of the tenant, from memory. */
  timeZone(tenantId: string): string;
  /** Milliseconds since 1970. */
  clock(): number;
}

/** Looks every two seconds, while somebody on this node has a chat open. */
export interface QueueLive {
  close(): void;
}

const LOOK_EVERY_MS = 2_000;
/** Who stands further back is told when they come this near; until then the page says what it said. */
const MOST_PLACES = 500;
/** Up to here every step is told; behind it one in ten seconds is enough. */
const NEAR = 10;
const FAR_EVERY_MS = 10_000;
/** How long it took lately is measured again after so long. */
const MEASURE_EVERY_MS = 30_000;
/** Pages that load their state again because support was switched on or off do so in this many at once. */
const RELOADS_A_LOOK = 400;

/** A page that was loaded before a change may begin to listen so much later: it is told once more. */
const STALE_FOR_MS = 60_000;

/** What a page was told last, or said itself when it was loaded. */
interface Told {
  /** Key of the tenant's hours. */
  readonly hours: string;
  readonly isOn: boolean;
  /** Its place in the queue, and how long that will take; null when there is nothing to say. */
  readonly place: number | null;
  readonly minutes: number | null;
  readonly atMs: number;
}

/** A tenant's hours and switch, and when they were seen to change. */
interface Hours {
  readonly key: string;
  readonly isOn: boolean;
  readonly changedAtMs: number;
  readonly switchedAtMs: number;
}

/** How it stands with a tenant's support. */
interface Stand {
  readonly state: SupportState;
  readonly hours: Hours;
}

/** As a page shows it to one user. */
type Shown = SupportState & { readonly position: number | null; readonly expectedWaitSeconds: number | null };

/**
 * Tells users' open chats their place in the queue, the wait that is to be expected, and when support opens, closes or is
 * switched on or off. Every node looks for itself, for all its tenants by one statement, and says only what has changed;
 * a page's own GET says the same.
 */
export function openQueueLive({ hub, database, views, desk, log, timeZone, clock }: QueueLiveDeps): QueueLive {
  const hoursOf = new Map<string, Hours>();
  const waits = new Map<string, { readonly seconds: number | null; readonly atMs: number }>();
  const reloads: { readonly tenantId: string; readonly id: string }[] = [];
  let told = new Map<string, Told>();
  let isClosed = false;
  let timer: NodeJS.Timeout;

  async function look(): Promise<void> {
    reloadSome();
    const heard = hub.heard(CONVERSATION_ROOM);
    if (heard.size === 0) {
      told.clear();
      return;
    }
    const nowMs = clock();
    const stands = new Map([...heard.keys()].map((tenantId) => [tenantId, standOf(tenantId, nowMs)] as const));
    const open = [...stands].flatMap(([tenantId, { state }]) => (state.enabled && state.isOpen ? [tenantId] : []));
    const places = await readPlaces(open);
    await measure([...places.keys()], nowMs);
    if (isClosed) return;
    const next = new Map<string, Told>();
    for (const [tenantId, ids] of heard) {
      const stand = stands.get(tenantId);
      if (!stand) continue;
      for (const id of ids) next.set(id, tell(tenantId, id, stand, places.get(tenantId)?.get(id) ?? null, nowMs));
    }
    told = next;
  }

  function standOf(tenantId: string, nowMs: number): Stand {
    const state = desk.supportState({ tenant: { id: tenantId, slug: '' }, now: new Date(nowMs) });
    const { enabled: isOn, isOpen, opensAt, awayMessage } = state;
    const key = JSON.stringify([isOpen, opensAt, awayMessage]);
    const before = hoursOf.get(tenantId);
    const hours: Hours = {
      key,
      isOn,
      // who was never looked at may have changed a moment ago
      changedAtMs: before?.key === key ? before.changedAtMs : nowMs,
      switchedAtMs: before && before.isOn !== isOn ? nowMs : (before?.switchedAtMs ?? 0),
    };
    hoursOf.set(tenantId, hours);
    return { state, hours };
  }

  function reloadSome(): void {
    for (const { tenantId, id } of reloads.splice(0, RELOADS_A_LOOK)) {
      hub.tell(tenantId, conversationRoom(id), {
        isState: true,
        encode: ({ format, audience }) =>
          format === 'html' && audience === 'user' ? '<hx-reload hx-target="#conversation-state"></hx-reload>' : null,
      });
    }
  }

  /** Tells one chat what is new to it, if anything is; gives what it knows from now on. */
  function tell(tenantId: string, id: string, { state, hours }: Stand, place: number | null, nowMs: number): Told {
    const seconds = place === null ? null : (waits.get(tenantId)?.seconds ?? null);
    const minutes = seconds === null ? null : Math.floor(seconds / 60);
    const now: Told = { hours: hours.key, isOn: hours.isOn, place, minutes, atMs: nowMs };
    const before = told.get(id);
    const step = nextStep(before, now, hours);
    if (step === 'wait') return before ?? now;
    if (step === 'reload') reloads.push({ tenantId, id });
    if (step === 'say') say(tenantId, id, { ...state, position: place, expectedWaitSeconds: seconds });
    return now;
  }

  function say(tenantId: string, id: string, desk: Shown): void {
    hub.tell(tenantId, conversationRoom(id), {
      isState: true,
      encode({ format, audience, language }) {
        if (format !== 'html' || audience !== 'user') return null;
        // the viewer's language is one of ours: the gate chose it
        const show = views.for({ language: language as 'en' | 'bn', zone: timeZone(tenantId) });
        return stream.fill('#desk-state', show.partial('/chat/_desk', { desk }).trim());
      },
    });
  }

  async function readPlaces(tenantIds: readonly string[]): Promise<Map<string, Map<string, number>>> {
    const places = new Map<string, Map<string, number>>();
    if (tenantIds.length === 0) return places;
    const { rows } = await database.systemPool.query<{ tenant_id: string; conversation_id: string; place: number }>({
      name: 'queue-places',
      text: 'select tenant_id, conversation_id, place from queue_places($1, $2)',
      values: [tenantIds, MOST_PLACES],
    });
    for (const { tenant_id, conversation_id, place } of rows) {
      const own = places.get(tenant_id) ?? new Map<string, number>();
      places.set(tenant_id, own.set(conversation_id, place));
    }
    return places;
  }

  async function measure(tenantIds: readonly string[], nowMs: number): Promise<void> {
    const due = tenantIds.filter((id) => nowMs - (waits.get(id)?.atMs ?? -MEASURE_EVERY_MS) >= MEASURE_EVERY_MS);
    if (due.length === 0) return;
    const { rows } = await database.systemPool.query<{ tenant_id: string; seconds: number | null }>({
      name: 'first-waits',
      text: 'select tenant_id, seconds from first_waits($1, $2, $3)',
      values: [due, new Date(nowMs - MEASURED_FOR_MS), MIN_MEASURED],
    });
    for (const { tenant_id, seconds } of rows) waits.set(tenant_id, { seconds, atMs: nowMs });
  }

  function lookLater(): void {
    timer = setTimeout(() => {
      look()
        .catch((error: unknown) => {
          if (!isClosed)
            log.warn({ err: error }, 'waiting chats could not be told how it stands; the next look follows');
        })
        .finally(() => {
          if (!isClosed) lookLater();
        });
    }, LOOK_EVERY_MS).unref();
  }
  lookLater();

  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

/** `wait`: it stays with what it was told; `knows`: the page has it from elsewhere. */
type Step = 'reload' | 'say' | 'knows' | 'wait';

function nextStep(before: Told | undefined, now: Told, hours: Hours): Step {
  const isRecent = (atMs: number) => now.atMs - atMs < STALE_FOR_MS;
  if (before ? before.isOn !== now.isOn : isRecent(hours.switchedAtMs)) return 'reload';
  const haveHoursChanged = before ? before.hours !== now.hours : isRecent(hours.changedAtMs);
  if (before && !haveHoursChanged && before.place === now.place && before.minutes === now.minutes) return 'wait';
  // who is taken, or has nobody to wait for, hears that from a line of the log
  if (now.place === null && !haveHoursChanged) return 'knows';
  const isFar = now.place !== null && now.place > NEAR;
  return before && isFar && now.atMs - before.atMs < FAR_EVERY_MS ? 'wait' : 'say';
}
