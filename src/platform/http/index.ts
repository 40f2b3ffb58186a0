/**
 * HTTP: from a request to a route's handler and back. Owns the registry of doors, who may pass, what may come in, how
 * answers and errors look, and the headers of all of them.
 *
 * Promises: a route without policy does not start; a handler sees only input that its schemas let through; no answer
 * says anything about our insides; an answer never carries anything inline that a browser would run. Never knows what a
 * conversation is, and never writes to the database.
 */

export { MAX_BODY_BYTES } from './body.ts';
export type { BodyPatience } from './body-patience.ts';
export { clientAddress } from './client-address.ts';
export { readCookie } from './cookies.ts';
export { createErrorFaces } from './error-pages.ts';
export { type ErrorFaces, type ErrorView, expectedError, waitHeaders } from './error-reply.ts';
export { type EventStream, eventStream, type StreamMessage } from './event-stream.ts';
export { loggedFault } from './fault.ts';
export {
  bearerToken,
  createReadiness,
  everybody,
  type HealthOptions,
  healthRoutes,
  type Readiness,
} from './health.ts';
export { createHostCheck } from './host.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { answerErrors, refuseStrangeHosts, refuseStrangeMethods, serveAssets } from './middlewares.ts';
export { type FilePart, MAX_TEXT_BYTES, readMultipart } from './multipart.ts';
export { pageReader } from './page-reader.ts';
export { fragment, json, noContent, page, seeOther } from './reply.ts';
export { type Policy, type Reply, type Route, type RouteFace, type RouteInput, route } from './route.ts';
export { createRouteTable, type RouteTable } from './route-table.ts';
export { safeRedirect } from './safe-redirect.ts';
export { isOwnOrigin } from './same-origin.ts';
export { createHeadTemplates, type HeadTemplates } from './security-headers.ts';
export { type Authenticate, type Frames, type SignedIn, serveRoutes } from './serve-routes.ts';
export { createHttpServer } from './server.ts';
export { fieldNames, repeatableKeys, validate } from './validate.ts';
