/** Registry entries and events for tests of attribution. */
import { CLASS, type Category, type EpochMs, type Event } from "../../../src/core/event.ts";
import type { AgentProfile, IdentityKey, PodInterval } from "../../../src/core/identity/profile.ts";
import { newEvent } from "../../../src/core/new-event.ts";

/** Noon of a day: nothing special about it. */
export const NOON: EpochMs = Date.UTC(2026, 2, 31, 12);

/** An agent of which the registry says nothing but what `changes` say. */
export function agent(id: string, changes: Partial<AgentProfile> = {}): AgentProfile {
  return {
    id,
    name: `${id}-name`,
    owner: undefined,
    contacts: undefined,
    team: undefined,
    role: undefined,
    purpose: undefined,
    parent: undefined,
    runbook: undefined,
    dataClasses: undefined,
    scopes: undefined,
    allowedHosts: undefined,
    blockedHosts: [],
    regions: undefined,
    infraVerbs: undefined,
    approval: undefined,
    perMinuteMax: undefined,
    perDay: undefined,
    rateLimit: undefined,
    volumeExceptions: [],
    bulkMbMax: undefined,
    createdTime: undefined,
    retiredTime: undefined,
    taskTtlMs: undefined,
    rotationDays: undefined,
    monitoring: undefined,
    keys: [],
    pods: [],
    sharedIps: [],
    ...changes,
  };
}

/** A key without end unless an interval is given. */
export function key(kind: IdentityKey["kind"], value: string, from = -Infinity, to = Infinity): IdentityKey {
  return { kind, value, from, to };
}

/** A pod that has an address. */
export function pod(ip: string, from = -Infinity, to = Infinity, uid?: string): PodInterval {
  return { name: undefined, uid, ip, from, to };
}

let made = 0;
/** An event at a time; `changes` set fields. */
export function event(category: Category, time: EpochMs, changes: Partial<Event> = {}): Event {
  made++;
  return Object.assign(newEvent(`test:${made}`, time, category, CLASS.apiActivity, 1), changes);
}
