import type { Source } from "../ports/connector.ts";

/** The source of an instance that is only pushed to: it has no path, and the pipeline never pulls it. */
export const idleSource: Source = {
  idle: true,
  pull: async (cursor) => ({ records: [], rejects: [], next: cursor ?? "", more: false, completeTo: null }),
};
