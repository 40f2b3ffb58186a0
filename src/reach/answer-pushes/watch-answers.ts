import type { StoredMessage } from '../../messaging/index.ts';
import type { DomainEvent } from '../../platform/database/index.ts';
import { oweAnswerPushes, type PushLook, QUIET_MS } from './owe-answer-pushes.ts';

/** Looks for unread answers soon after one was written on this node; the timed look finds what it misses. */
export interface PushLookout {
  /** For `appender.onAppended`: new messages, after their commit. */
  appended(messages: readonly StoredMessage[]): void;
  /** For domain events after commit; those of other wings are ignored. */
  heard(event: DomainEvent): void;
  close(): Promise<void>;
}

/** After the answer has been quiet for long enough, with room for clocks. */
const LOOK_AFTER_MS = QUIET_MS + 200;

/** Begins to listen. However many answers are written, a node looks once in a while of `LOOK_AFTER_MS`. */
export function watchAnswers(look: PushLook): PushLookout {
  let timer: NodeJS.Timeout | null = null;
  let looking: Promise<unknown> = Promise.resolve();
  let isAskedAgain = false;
  let isClosed = false;

  function appended(messages: readonly StoredMessage[]): void {
    if (isClosed || !messages.some(({ senderType }) => senderType === 'admin')) return;
    if (timer) isAskedAgain = true;
    else timer = setTimeout(begin, LOOK_AFTER_MS).unref();
  }

  function begin(): void {
    looking = oweAnswerPushes(look, false)
      .catch((error: unknown) =>
        look.log.warn({ err: error }, 'unread answers could not be looked for; the timed look does'),
      )
      .finally(() => {
        timer = isAskedAgain && !isClosed ? setTimeout(begin, LOOK_AFTER_MS).unref() : null;
        isAskedAgain = false;
      });
  }

  return {
    appended,
    heard(event) {
      // the type says which event it is
      if (event.type === 'messages:appended') appended((event as DomainEvent & { messages: StoredMessage[] }).messages);
    },
    async close() {
      isClosed = true;
      if (timer) clearTimeout(timer);
      await looking;
    },
  };
}
