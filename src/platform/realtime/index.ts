/**
 * Realtime: who hears what, while it happens. The hub with its rooms, the ways down (WebSocket, server-sent events) and
 * the line between nodes.
 *
 * Promises that a room's log reaches every subscriber whole and in order, whatever is lost, doubled or late on the way;
 * that nobody hears a room without having been asked for it; and that who may no longer hear is cut off within a second.
 * Never carries content between nodes, and never knows what a conversation is.
 */
export { openNoBackplane } from './backplane-none.ts';
export { openPostgresBackplane } from './backplane-postgres.ts';
export { openRedisBackplane } from './backplane-redis.ts';
export { cursorText, parseCursor } from './cursor.ts';
export { type AskedRoom, askedRooms, resumedRooms, streamRooms } from './event-stream-connection.ts';
export { sendText } from './frame.ts';
export { Hub, type HubOptions, type SubscribeOutcome } from './hub.ts';
export { measureHub } from './metrics.ts';
export type {
  AccessWatch,
  Audience,
  Backplane,
  Change,
  Connection,
  Cursor,
  Frame,
  Hint,
  RecentLog,
  RoomKind,
  Subscription,
  Telling,
  Viewer,
  Welcome,
} from './room.ts';
export type { SocketConnection } from './socket-connection.ts';
export type { Gate, SocketLimits, Visitor } from './visitor.ts';
export { type Dialect, serveWebSockets, type WebSocketDeps } from './web-socket.ts';
