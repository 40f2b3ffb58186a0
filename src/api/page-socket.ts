import type { Person } from '../identity/index.ts';
import { askedRooms, cursorText, type Dialect, type Welcome } from '../platform/realtime/index.ts';
import type { SocketDeps } from './socket-doors.ts';
import { readFrame } from './socket-frame.ts';
import { createUpward } from './socket-upward.ts';

/** What a browser's code sees of a beat. */
export const BEAT_FRAGMENT = '<hx-beat></hx-beat>';

/**
 * The dialect of pages: rooms and cursors stand in the address, fragments come down, and nothing goes up but typing and
 * read marks. A room that is not for them closes the socket with 4403, and the page says so.
 */
export function pageDialect(deps: SocketDeps): Dialect {
  const { hub, log } = deps;
  return {
    protocol: null,
    format: 'html',
    beat: BEAT_FRAGMENT,
    opened(connection, request) {
      const query = request.url?.split('?', 2)[1] ?? '';
      for (const { room, after } of askedRooms(query, hub.epoch)) {
        hub.subscribe(connection, room, after, welcomeFragment).then(
          (outcome) => {
            if (outcome === 'refused') connection.close(4403);
          },
          (error: unknown) => {
            log.warn({ err: error }, 'a page could not be given its room; it comes back');
            connection.close(1013);
          },
        );
      }
      const upward = createUpward(deps);
      return {
        received(text) {
          const { frame } = readFrame(text);
          // the gate knows persons only
          const person = connection.actor as Person;
          const work =
            frame?.type === 'typing'
              ? upward.typing(person, frame.conversationId, frame.isTyping)
              : frame?.type === 'message:read'
                ? upward.read(person, frame.conversationId, frame.seq)
                : null;
          // a hint that could not be taken changes nothing; the page finds out by its next GET
          work?.catch((error: unknown) => log.debug({ err: error }, 'a hint of a page was not taken'));
        },
      };
    },
  };
}

/** The answer to a subscription, for sockets and streams of pages. */
export function welcomeFragment({ room, status, version, epoch, viewer, subscription, isBehind }: Welcome): string {
  const at = version === null ? '' : cursorText(epoch, version);
  const state = subscription.html?.(viewer, isBehind) ?? '';
  return `<hx-subscribed room="${room}" status="${status}" at="${status === 'resumed' ? '' : at}"></hx-subscribed>${state}`;
}
