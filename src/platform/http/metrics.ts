import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** What the process counts. Wings register their own metrics in `registry`. */
export interface Metrics {
  readonly registry: Registry;
  /** One request: by route name, never by path, so that ids stay out and the number of series is bounded. */
  observe(route: string, method: string, status: number, seconds: number): void;
}

/** `processMetrics` adds Node's own (event loop delay, memory, GC); leave it off where many apps live in one process. */
export function createMetrics({ processMetrics = true } = {}): Metrics {
  const registry = new Registry();
  if (processMetrics) collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time from the request to its answer, by route name',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  const children = new Map<string, { observe(seconds: number): void }>();
  return {
    registry,
    observe(route, method, status, seconds) {
      const key = `${route} ${method} ${status}`;
      let child = children.get(key);
      if (!child) {
        child = requests.labels(route, method, String(status));
        children.set(key, child);
      }
      child.observe(seconds);
    },
  };
}
