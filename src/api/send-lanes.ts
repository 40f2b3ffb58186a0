import type { SendFrame } from './socket-frame.ts';

/** Messages of one socket on their way into the log, a lane a conversation. */
export interface SendLanes {
  add(frame: SendFrame): void;
  /** Taken and not answered yet. */
  readonly size: number;
}

/**
 * Answers come in the order of the sends, conversation by conversation, and so do the numbers: while one message is
 * under way the next ones wait, then they go together, in order, which puts them into one statement. The first goes
 * alone, because it may have to claim the conversation before the others can be stored.
 * `post` resolves to the text of the answer and never rejects; `answer` is given each, after it no longer counts.
 */
export function createSendLanes(
  post: (frame: SendFrame) => Promise<string>,
  answer: (text: string) => void,
): SendLanes {
  const lanes = new Map<string, SendFrame[]>();
  // a plain member: with an accessor each socket's lanes would have a shape of their own
  const own = { size: 0, add };

  function add(frame: SendFrame): void {
    own.size += 1;
    const lane = lanes.get(frame.conversationId);
    if (lane) {
      lane.push(frame);
      return;
    }
    lanes.set(frame.conversationId, []);
    void run(frame.conversationId, frame);
  }

  async function run(conversationId: string, first: SendFrame): Promise<void> {
    settle(await post(first));
    for (;;) {
      const waiting = lanes.get(conversationId);
      if (!waiting?.length) break;
      lanes.set(conversationId, []);
      for (const text of waiting.map(post)) settle(await text);
    }
    lanes.delete(conversationId);
  }

  function settle(text: string): void {
    own.size -= 1;
    answer(text);
  }

  return own;
}
