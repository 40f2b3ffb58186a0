/**
 * The environment, read once at the start: parsed, checked and frozen. Nothing else reads `process.env`.
 * Promises one line per wrong value; never starts with a value that it does not understand.
 */
export { type Config, type LogLevel, readConfig } from './config.ts';
export { type ReadyConfig, withSecretKey } from './secret-key.ts';
export { ConfigError, StartError } from './start-error.ts';
