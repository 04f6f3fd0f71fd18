/** How people answer where a destination showed them an incident. */
import type { EpochMs } from "../core/event.ts";
import type { PushRequest } from "./connector.ts";

/** What somebody said about an incident where a destination had shown it. */
export interface IncidentAnswer {
  readonly incidentId: string;
  readonly to: "close" | "acknowledge";
  /** Who said it, as the destination names them. */
  readonly by: string | undefined;
  readonly reason: string | undefined;
  readonly time: EpochMs;
}

/** How a destination's answers come back: requests that it signs, to a path of their own. */
export interface AnswerReceiver {
  /**
   * Pure; `hmacSha256` gives lower-case hex. Empty for a request that is genuine and says nothing about an incident.
   * @throws {Failure} permanent HTTP_DENIED for a wrong signature (answered with 401); poison for what cannot be read (400)
   */
  receive(request: PushRequest, hmacSha256: (key: string, body: Uint8Array) => string): readonly IncidentAnswer[];
}
