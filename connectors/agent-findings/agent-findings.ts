import { z } from "zod";
import { bodyRecords } from "../../src/archetypes/body.ts";
import { ABSOLUTE_PATH, checkFiles, isAbsolutePath } from "../../src/archetypes/file-check.ts";
import { idleSource } from "../../src/archetypes/idle.ts";
import { tailSource } from "../../src/archetypes/tail.ts";
import { jsonLines } from "../../src/core/framing.ts";
import { defineConnector, type Receiver } from "../../src/ports/connector.ts";
import { agentFindingsNormalize } from "./normalize.ts";

/** A record is sent when its turn ends, with that time in whole seconds. */
const LATENESS_MS = 60_000;

const config = z.strictObject({
  path: z
    .string()
    .refine(isAbsolutePath, ABSOLUTE_PATH)
    .optional()
    .describe("File, directory or pattern of records, one JSON object per line. Without it, agents push to the receiver"),
});

// The probe runs inside the agent: whatever it sends is taken, and what is bad is quarantined, so that no agent fails over it.
const receiver: Receiver = {
  paths: [""],
  receive: ({ body }) => {
    const { records, rejects } = bodyRecords(body);
    return { records, rejects, reply: { status: 202, contentType: "application/json", body: `{"accepted":${records.length}}` } };
  },
};

/** Turns and findings of agents that are wrapped in `cp_security` or send its shape. */
export default defineConnector<z.output<typeof config>>({
  id: "agent-findings",
  title: "Agent turns and findings (cp_security)",
  config,
  check: async (options, context) => (options.path === undefined ? [] : await checkFiles(options.path, context)),
  source: (options) => (options.path === undefined ? idleSource : tailSource({ path: options.path, format: jsonLines })),
  receiver: () => receiver,
  format: () => jsonLines,
  normalize: () => agentFindingsNormalize,
  categories: ["agent_api", "agent_finding", "egress"],
  lateness: LATENESS_MS,
  gaps: [
    "version 1 of cp_security never supplies approval_id, consent_id, session_id, egress_host, tokens, model or refusal: rules about their absence stay silent for it",
    "of the threats only prompt_injection, tool_abuse and data_exfiltration are ever reported",
    "times are whole seconds, and no address is supplied",
  ],
});
