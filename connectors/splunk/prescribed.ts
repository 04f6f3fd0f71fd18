/** Values that the CIM prescribes (its data models' test definitions), as far as events have others. */

/** Change and Data Access: `action` by OCSF activity (API Activity and Entity Management count alike up to 4). */
export const CHANGE_ACTIONS: Readonly<Record<number, string>> = { 1: "created", 2: "read", 3: "modified", 4: "deleted" };

/** Endpoint.Filesystem: `action` by OCSF File System Activity; others have no name there. */
export const FILE_ACTIONS: Readonly<Record<number, string>> = {
  1: "created",
  2: "read",
  3: "modified",
  4: "deleted",
  5: "modified",
  6: "modified",
  7: "acl_modified",
};

/** Web: `http_method`. PATCH is not among them. */
export const HTTP_METHODS: ReadonlySet<string> = new Set(["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"]);

const span = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);
/** Web: `status`. */
export const HTTP_STATUSES: ReadonlySet<number> = new Set([
  ...span(100, 102),
  ...span(200, 208),
  226,
  ...span(300, 308),
  ...span(400, 417),
  ...span(422, 424),
  426,
  428,
  429,
  431,
  ...span(500, 508),
  510,
  511,
]);

/** Network Resolution: `reply_code` and `reply_code_id` by OCSF `rcode_id`. The list of ids begins with 1. */
export const REPLY_CODES: ReadonlyMap<number, readonly [code: string, id: string | undefined]> = new Map(
  [
    ...[
      "No Error",
      "Format Error",
      "Server Failure",
      "Non-Existent Domain",
      "NotImp",
      "Refused",
      "YXDomain",
      "YXRRSet",
      "NXRRSet",
    ].entries(),
    [9, "NotAuth"] as const,
    [10, "NotZone"] as const,
    [11, "DSOTYPENI"] as const,
    ...["BADVERS", "BADKEY", "BADTIME", "BADMODE", "BADNAME", "BADALG", "BADTRUNC", "BADCOOKIE"].map(
      (name, index) => [16 + index, name] as const,
    ),
  ].map(([id, name]) => [id, [name, id === 0 ? undefined : String(id)]]),
);

/** Network Resolution: `record_type`, those that are in use. */
export const RECORD_TYPES: ReadonlySet<string> = new Set(
  "A AAAA AFSDB APL AXFR CAA CDNSKEY CDS CERT CNAME CSYNC DHCID DLV DNAME DNSKEY DS EUI48 EUI64 HINFO HIP HTTPS IPSECKEY IXFR KEY KX LOC MINFO MX NAPTR NS NSEC NSEC3 NSEC3PARAM NULL OPENPGPKEY OPT PTR RP RRSIG SIG SOA SPF SRV SSHFP TA TKEY TLSA TSIG TXT URI WKS X25 ZONEMD".split(
    " ",
  ),
);
