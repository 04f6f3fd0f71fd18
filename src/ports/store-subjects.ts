import type { Alert } from "../core/alert.ts";
import type { EpochMs } from "../core/event.ts";
import type { Incident } from "../core/incident.ts";

/** "This alert is about this entity" (see `entitiesOf`). */
export interface AlertLink {
  readonly entity: string;
  readonly alertId: string;
  readonly firstTime: EpochMs;
  readonly lastTime: EpochMs;
}

/** The part of the store that reads alerts and incidents. */
export interface SubjectStore {
  alerts(filter?: { readonly ids?: readonly string[]; readonly limit?: number }): Promise<readonly Alert[]>;
  /** Newest revision of each. */
  incidents(filter?: { readonly ids?: readonly string[]; readonly open?: boolean; readonly limit?: number }): Promise<readonly Incident[]>;
  /** Newest revisions of alerts linked to these entities that touch [from, to]; of each entity the newest `limit`. Each once, by id. */
  alertsAbout(
    entities: readonly string[],
    range: { readonly from: EpochMs; readonly to: EpochMs; readonly limit: number },
  ): Promise<readonly Alert[]>;
  /** Newest revisions of incidents about these entities, open and closed; of each entity the newest `limit`. */
  incidentsAbout(entities: readonly string[], limit: number): Promise<readonly Incident[]>;
  incidentRevision(id: string, revision: number): Promise<Incident | undefined>;
  alertRevision(id: string, revision: number): Promise<Alert | undefined>;
}
