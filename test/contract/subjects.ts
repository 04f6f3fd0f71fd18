/** Alerts, incidents and events for tests of the store. */
import type { Alert } from "../../src/core/alert.ts";
import type { Category, Event } from "../../src/core/event.ts";
import type { Incident } from "../../src/core/incident.ts";
import { newEvent } from "../../src/core/new-event.ts";
import type { SourceChange } from "../../src/ports/store.ts";

/** An event with this uid at this time. */
export function event(uid: string, time: number, set: Partial<Event> = {}): Event {
  const category: Category = set.category ?? "agent_api";
  return Object.assign(newEvent(uid, time, category, 6003, 2), { source: "kong/main", vendor: "Kong", product: "Gateway" }, set);
}

/** Events `<prefix>0` … `<prefix>n-1`, one per millisecond from time 1000. */
export function events(prefix: string, count: number): Event[] {
  return Array.from({ length: count }, (_, index) => event(`${prefix}${index}`, 1000 + index));
}

/** An alert of one revision. */
export function alert(id: string, revision: number, set: Partial<Alert> = {}): Alert {
  return {
    id,
    ruleId: "rule",
    ruleTitle: "Title",
    level: "high",
    group: { "ai_agent.uid": "a" },
    bucket: 1000,
    firstTime: 1000,
    lastTime: 2000,
    count: revision,
    evidence: ["kong:1"],
    agents: ["a"],
    revision,
    final: false,
    ...set,
  };
}

/** An incident of one revision, without any agent. */
export function incident(id: string, revision: number, set: Partial<Incident> = {}): Incident {
  return {
    id,
    revision,
    entity: "rule:rule",
    agentUid: undefined,
    agentName: undefined,
    agentOwner: undefined,
    title: "Title",
    story: "Something happened.",
    level: "high",
    risk: 50,
    status: 1,
    openedTime: 1000,
    firstTime: 1000,
    lastTime: 2000,
    alerts: [alert("alert", 1)],
    tags: ["custodes.c1"],
    maps: [{ framework: "ATLAS", version: "5", id: "AML.T0051" }],
    timeline: [{ time: 1000, uid: "kong:1", source: "kong/main", text: "called" }],
    hosts: [],
    ips: ["10.0.0.1"],
    users: [],
    credentials: [],
    runbooks: [],
    actions: [],
    final: false,
    coverage: { state: "complete", missing: [], watermark: undefined },
    ...set,
  };
}

/** A move of a source's cursor that changes nothing else. */
export function move(from: string | null, to: string | null, set: Partial<SourceChange> = {}): SourceChange {
  const nothing = { watermark: null, newestTime: null, now: 10, stored: 0, duplicates: 0, quarantined: 0, late: 0 };
  return { source: "kong/main", from, to, ...nothing, ...set };
}
