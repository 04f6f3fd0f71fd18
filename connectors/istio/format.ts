/** Lines of an access log as Envoy writes them, or as a container runtime wraps them below /var/log/containers. */
import { parseJson } from "../../src/core/framing.ts";
import type { Format } from "../../src/ports/connector.ts";

/** One JSON object per line, behind the prefix of the Container Runtime Interface if there is one. */
export const accessLogFormat: Format = { framing: "lines", open: () => readLine };

function readLine(line: string): readonly unknown[] {
  return [parseJson(line.startsWith("{") ? line : withoutPrefix(line))];
}

/**
 * `2026-05-04T09:00:00.000000000Z stdout F {...}`: time, stream, and F for a whole line. A line that the runtime split
 * (P, from 16 KiB on) is no JSON by itself and is refused.
 * https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
 */
function withoutPrefix(line: string): string {
  return line.replace(/^\d{4}-\d\d-\d\dT[0-9:.]{8,18}(?:Z|[+-]\d\d:\d\d) std(?:out|err) F /, "");
}
