/** The least privileges: of the key that delivers, and of whoever installs. */
import type { Json } from "../../src/core/record.ts";
import type { Config } from "./config.ts";

/** Writing a document with a version of one's own needs `index`; `auto_configure` creates the index where setup has not. */
export const FINDING_PRIVILEGES = ["index", "auto_configure"] as const;
/** An event is only ever created. */
export const EVENT_PRIVILEGES = ["create_doc", "auto_configure"] as const;

/** Role of the service's key, as `role_descriptors` of the API that creates keys. */
export function serviceRole(settings: Config): Json {
  return {
    custodes: {
      // For the self-check: the version. Without it the check says that the version is not shown.
      cluster: ["monitor"],
      indices: [
        { names: [...new Set([settings.alertIndex, settings.incidentIndex])], privileges: [...FINDING_PRIVILEGES, "view_index_metadata"] },
        { names: [settings.eventStream], privileges: [...EVENT_PRIVILEGES, "view_index_metadata"] },
      ],
    },
  };
}

/** Role of the installer's key. Kibana's part is a role of Kibana: see `installerPrivileges`. */
export function installerRole(settings: Config): Json {
  return {
    "custodes-setup": {
      cluster: ["manage_index_templates", "manage_ingest_pipelines", ...(settings.lifecycle === "ilm" ? ["manage_ilm"] : [])],
      indices: [{ names: [...new Set([settings.alertIndex, settings.incidentIndex, settings.eventStream])], privileges: ["manage"] }],
    },
  };
}

/** The service's privileges in words. */
export function servicePrivileges(settings: Config): readonly string[] {
  return [
    `index ${FINDING_PRIVILEGES.join(", ")} on ${settings.alertIndex} and ${settings.incidentIndex}`,
    `index ${EVENT_PRIVILEGES.join(", ")} on ${settings.eventStream}, where events are sent`,
    "for the self-check: cluster monitor, index view_index_metadata on the same names",
  ];
}

/** The installer's privileges in words. */
export function installerPrivileges(settings: Config): readonly string[] {
  return [
    `cluster manage_index_templates, manage_ingest_pipelines${settings.lifecycle === "ilm" ? ", manage_ilm" : ""}`,
    `index manage on ${settings.alertIndex}, ${settings.incidentIndex} and ${settings.eventStream}`,
    "Kibana: Saved Objects Management, Dashboard, Data View Management: all, for data views and dashboard",
    "Kibana: Security: all, with index read, write, maintenance, view_index_metadata on .alerts-security.alerts-<space>, for the rules",
  ];
}
