import type { Change, Viewer } from '../../platform/realtime/index.ts';
import { cursorText } from '../../platform/realtime/index.ts';
import { stream, type Views } from '../../platform/views/index.ts';
import type { FileLinks } from '../attachments/file-links.ts';
import { type Audience, messageItem, messageText, type ReadMarks } from './message.view.ts';
import type { StoredMessage } from './stored-message.ts';

/** What turning a message into frames needs. */
export interface BroadcastDeps {
  readonly views: Views;
  /** Names this database's history, in every cursor. */
  readonly epoch: string;
  /** IANA zone of the tenant: frames are made once for all, so their times are the tenant's. */
  timeZone(tenantId: string): string;
  /** Addresses of files for programs. */
  readonly links: FileLinks;
}

/**
 * A message on its way to everybody in the room: for programs the view of the contract as JSON, for pages the partial
 * `_message` with its place in the list and the log's new cursor. `marks` when it may have been read already.
 */
export function messageChange(deps: BroadcastDeps, message: StoredMessage, marks?: ReadMarks): Change {
  return {
    version: message.version,
    firstVersion: message.firstVersion,
    ...(message.originConnectionId ? { originConnectionId: message.originConnectionId } : {}),
    encode(viewer, room, after) {
      if (viewer.format === 'html') return messageFragment(deps, message, viewer, room, marks);
      return messageFrame(deps, message, viewer.audience, room, after, marks);
    },
  };
}

/** `message:new` or, for who has had it before, `message:changed`. The room's name is one that we parsed ourselves. */
function messageFrame(
  { links }: BroadcastDeps,
  message: StoredMessage,
  audience: Audience,
  room: string,
  after: number,
  marks?: ReadMarks,
): string {
  const type = message.firstVersion > after ? 'message:new' : 'message:changed';
  return `{"type":"${type}","room":"${room}","message":${messageText(message, audience, marks, links)}}`;
}

function messageFragment(
  deps: BroadcastDeps,
  message: StoredMessage,
  viewer: Viewer,
  room: string,
  marks?: ReadMarks,
): string {
  // the viewer's language is one of ours: the gate chose it
  const language = viewer.language as 'en' | 'bn';
  const show = deps.views.for({ language, zone: deps.timeZone(message.tenantId) });
  const html = show.partial('/messaging/_message', {
    message: messageItem(message, viewer.audience, marks),
    tools: viewer.audience === 'staff',
  });
  const cursor = cursorText(deps.epoch, message.version);
  return `${stream.upsert('#messages', html, { key: 'data-seq' })}<hx-cursor room="${room}" at="${cursor}"></hx-cursor>`;
}
