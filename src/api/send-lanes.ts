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
 * `post` resolves to the text of the answer and never rejects; `done` is called after each answer.
 */
export function createSendLanes(
  post: (frame: SendFrame) => Promise<string>,
  answer: (text: string) => void,
  done: () => void,
): SendLanes {
  const lanes = new Map<string, SendFrame[]>();
  let size = 0;

  async function run(conversationId: string, first: SendFrame): Promise<void> {
    let answers = [post(first)];
    for (;;) {
      for (const text of answers) {
        answer(await text);
        size -= 1;
        done();
      }
      const waiting = lanes.get(conversationId);
      if (!waiting?.length) break;
      lanes.set(conversationId, []);
      answers = waiting.map(post);
    }
    lanes.delete(conversationId);
  }

  return {
    add(frame) {
      size += 1;
      const lane = lanes.get(frame.conversationId);
      if (lane) {
        lane.push(frame);
        return;
      }
      lanes.set(frame.conversationId, []);
      void run(frame.conversationId, frame);
    },
    get size() {
      return size;
    },
  };
}
