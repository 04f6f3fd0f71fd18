import { asObject, text } from "../../src/core/record.ts";
import { attributesOf, firstText, type Attributes } from "./attributes.ts";

/** What a resource says about where the agent runs. https://opentelemetry.io/docs/specs/semconv/resource/ */
export interface Resource {
  readonly attributes: Attributes;
  readonly service: string | undefined;
  readonly version: string | undefined;
  readonly namespace: string | undefined;
  readonly podUid: string | undefined;
  readonly podName: string | undefined;
  /** As the Kubernetes API writes it, `system:serviceaccount:<namespace>:<name>`. */
  readonly serviceAccount: string | undefined;
  readonly cloudProvider: string | undefined;
  readonly cloudAccount: string | undefined;
  readonly region: string | undefined;
  readonly host: string | undefined;
  readonly containerUid: string | undefined;
}

/** Reads an OTLP resource. */
function readResource(raw: unknown): Resource {
  const attributes = attributesOf(asObject(raw)?.["attributes"]);
  const one = (key: string): string | undefined => text(attributes.get(key));
  const namespace = one("k8s.namespace.name");
  return {
    attributes,
    service: one("service.name"),
    version: one("service.version"),
    namespace,
    podUid: one("k8s.pod.uid"),
    podName: one("k8s.pod.name"),
    serviceAccount: serviceAccountOf(attributes, namespace),
    cloudProvider: one("cloud.provider"),
    cloudAccount: one("cloud.account.id"),
    region: one("cloud.region"),
    host: firstText(attributes, ["host.name", "k8s.node.name"]),
    containerUid: one("container.id"),
  };
}

/** No convention names it; these are what the collector's processors and the downward API are configured to write. */
const SERVICE_ACCOUNT = ["k8s.serviceaccount.name", "k8s.service_account.name", "service.account.name"];

function serviceAccountOf(attributes: Attributes, namespace: string | undefined): string | undefined {
  const name = firstText(attributes, SERVICE_ACCOUNT);
  if (name === undefined || name.includes(":")) return name;
  return namespace === undefined ? undefined : `system:serviceaccount:${namespace}:${name}`;
}

/** Reads each resource object once: a request shares one among hundreds of records. */
export function resourceReader(): (raw: unknown) => Resource {
  const known = new WeakMap<object, Resource>();
  return (raw) => {
    if (typeof raw !== "object" || raw === null) return readResource(raw);
    let resource = known.get(raw);
    if (resource === undefined) known.set(raw, (resource = readResource(raw)));
    return resource;
  };
}
