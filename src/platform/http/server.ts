import { createServer, type RequestListener, type Server } from 'node:http';
import { LONGEST_BODY_MS } from './body-patience.ts';

/**
 * The HTTP server of an app, not yet listening: 10 seconds for the head, 16 KB of headers; the body's time is watched by
 * `watchBody`, and none may take longer than the longest of files
 * (Node's own checks refuse obs-fold, odd chunking and Content-Length beside Transfer-Encoding, T-HX10).
 */
export function createHttpServer(listener: RequestListener): Server {
  return createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: LONGEST_BODY_MS + 60_000,
      connectionsCheckingInterval: 2_000,
      // longer than the idle timeout of common proxies, so that they close first
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16_384,
      insecureHTTPParser: false,
      requireHostHeader: true,
    },
    listener,
  );
}
