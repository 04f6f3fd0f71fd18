/** Public API: run the service in a process of your own, and write connectors. */
export { start, type Service, type World } from "./app.ts";
export type { Config } from "./config/config.ts";
export { loadConfig, parseConfig, type Loaded, type LoadOptions } from "./config/load.ts";
export { CODES, Failure, type FailureCode, type FailureKind } from "./core/errors.ts";
export type { Alert, Level, RuleInfo } from "./core/alert.ts";
export type { Category, Event } from "./core/event.ts";
export type { Incident } from "./core/incident.ts";
export { newEvent } from "./core/new-event.ts";
export * from "./ports/connector.ts";
export type * from "./ports/context.ts";
export type * from "./ports/queue.ts";
export type * from "./ports/store.ts";
