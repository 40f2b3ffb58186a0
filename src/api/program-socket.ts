import type { Person } from '../identity/index.ts';
import { audienceOf, messageText, participantView, postMessage } from '../messaging/index.ts';
import { NotSignedIn, TooMany, Unavailable } from '../platform/errors/index.ts';
import { expectedError } from '../platform/http/index.ts';
import {
  type Dialect,
  parseCursor,
  type SocketConnection,
  sendText,
  type Welcome,
} from '../platform/realtime/index.ts';
import { createSendLanes } from './send-lanes.ts';
import type { SocketDeps } from './socket-doors.ts';
import { type BadFrame, type ReadFrame, readFrame, type SendFrame, type UpFrame } from './socket-frame.ts';
import { createUpward } from './socket-upward.ts';

/** Messages of one socket under way before it is read no further. */
const MAX_UNDER_WAY = 256;

type Ref = UpFrame['ref'];

/** The JSON dialect `support.v1.json`, for programs. */
export function programDialect(deps: SocketDeps): Dialect {
  return {
    protocol: 'support.v1.json',
    format: 'json',
    beat: null,
    opened: (connection) => ({ received: openProgramSocket(deps, connection) }),
  };
}

/** Takes the frames of one socket. Frames that do not depend on each other run side by side. */
function openProgramSocket(deps: SocketDeps, connection: SocketConnection): (text: string) => void {
  const { hub, messaging, identity } = deps;
  const upward = createUpward(deps);
  let isHeld = false;
  let lookedUp: Promise<Person> | null = null;

  const lanes = createSendLanes(post, (text) => {
    sendText(connection, text);
    if (!isHeld || lanes.size > MAX_UNDER_WAY / 2) return;
    isHeld = false;
    connection.resume();
  });

  function received(text: string): void {
    const { frame, bad } = readFrame(text);
    if (bad) sendText(connection, badFrameText(bad));
    else if (frame.type === 'message:send') send(frame);
    else take(frame).catch((error: unknown) => sendText(connection, errorText(deps, error, { ref: frame.ref })));
  }

  function take(frame: Exclude<UpFrame, SendFrame>): Promise<void> {
    switch (frame.type) {
      case 'subscribe':
        return subscribe(frame.room, frame.after ?? null, frame.ref);
      case 'unsubscribe':
        return unsubscribe(frame.room, frame.ref);
      case 'message:read':
        return read(frame);
      case 'typing':
        return typing(frame.conversationId, frame.isTyping, frame.ref);
    }
  }

  function send(frame: SendFrame): void {
    lanes.add(frame);
    if (isHeld || lanes.size < MAX_UNDER_WAY) return;
    isHeld = true;
    connection.pause();
  }

  /** Resolves to the answer, an ack or an error; never rejects. */
  async function post({ conversationId, clientId, body, replyToId, takeOver, ref }: SendFrame): Promise<string> {
    try {
      const person = identity.isFollowing() ? personOf(connection) : await freshSender();
      const tenant = { id: person.tenantId, slug: person.tenantSlug };
      const { message, marks } = await postMessage({ tenant, actor: person }, messaging, {
        conversationId,
        clientId,
        body,
        replyToId,
        takeOver,
        connectionId: connection.id,
      });
      const view = messageText(message, audienceOf(person), marks, messaging.files.links);
      return `{"type":"message:ack",${refText(ref)}"clientId":"${clientId}","message":${view}}`;
    } catch (error) {
      return errorText(deps, error, { ref, clientId });
    }
  }

  /** One look for all that were sent together: with one each they would come back in any order, and be stored so. */
  function freshSender(): Promise<Person> {
    if (lookedUp !== null) return lookedUp;
    lookedUp = freshPerson(connection);
    // a later send looks for itself: what was read before it may be out of date by then
    setImmediate(() => {
      lookedUp = null;
    });
    return lookedUp;
  }

  async function subscribe(room: string, after: string | number | null, ref: Ref): Promise<void> {
    const outcome = await hub.subscribe(connection, room, parseCursor(after, hub.epoch), (welcome) =>
      subscribedText(welcome, ref),
    );
    if (outcome === 'refused') {
      sendText(
        connection,
        frameText({ type: 'error', ref, code: 'not_found', message: 'There is no such room.', room }),
      );
    }
    if (outcome === 'full') {
      sendText(connection, frameText({ type: 'error', ref, code: 'too_many', message: 'Too many rooms.', room }));
    }
  }

  async function unsubscribe(room: string, ref: Ref): Promise<void> {
    hub.unsubscribe(connection, room);
    sendText(connection, frameText({ type: 'unsubscribed', ref, room }));
  }

  /** Whoever gave a `ref` is answered with the frame that the others get. */
  async function read({ conversationId, seq, ref }: ReadFrame): Promise<void> {
    const person = personOf(connection);
    const at = await upward.read(person, conversationId, seq);
    if (ref === undefined) return;
    const participant = participantView(audienceOf(person), person);
    const room = `conversation_${conversationId}`;
    sendText(connection, frameText({ type: 'message:read', ref, room, participant, seq: at }));
  }

  async function typing(conversationId: string, isTyping: boolean, ref: Ref): Promise<void> {
    const person = personOf(connection);
    await upward.typing(person, conversationId, isTyping);
    if (ref === undefined) return;
    const participant = participantView(audienceOf(person), person);
    const room = `conversation_${conversationId}`;
    sendText(connection, frameText({ type: 'typing', ref, room, participant, isTyping }));
  }

  return received;
}

function subscribedText({ room, status, version, epoch, viewer, subscription }: Welcome, ref: Ref): string {
  return frameText({ type: 'subscribed', ref, room, status, version, epoch, ...subscription.state(viewer) });
}

/** Whom the gate let in; it knows persons only. */
function personOf(connection: SocketConnection): Person {
  return connection.actor as Person;
}

/** While changes of access are not followed, what was known is not believed (D7). */
async function freshPerson(connection: SocketConnection): Promise<Person> {
  const person = await connection.renew();
  if (!person) {
    connection.close(4401);
    throw new NotSignedIn();
  }
  connection.actor = person;
  return personOf(connection);
}

function refText(ref: Ref): string {
  return ref === undefined ? '' : `"ref":${JSON.stringify(ref)},`;
}

/** Members without a value stay away. */
function frameText(frame: { readonly type: string; readonly [member: string]: unknown }): string {
  return JSON.stringify(frame);
}

function badFrameText(bad: BadFrame): string {
  return frameText({ type: 'error', ...bad });
}

/** What was thrown as an error frame; faults of ours say no more than that they are. */
function errorText(
  { log }: Pick<SocketDeps, 'log'>,
  error: unknown,
  about: { readonly ref?: Ref; readonly clientId?: string },
): string {
  const known = expectedError(error);
  if (!known) {
    log.error({ err: error }, 'a frame failed');
    return frameText({ type: 'error', ...about, code: 'internal', message: 'Something went wrong on our side.' });
  }
  const { code, message, fields, detail } = known;
  const waits = known instanceof TooMany || known instanceof Unavailable;
  return frameText({
    type: 'error',
    ...about,
    code,
    message,
    fields,
    ...detail,
    ...(waits ? { retryAfterSeconds: known.retryAfterSeconds } : {}),
  });
}
