/** Reads the searches of the add-on, as far as they go: which fields each command takes, and which it leaves. Unknown commands are errors. */

/** What a search may take from events of a source type. */
export type FieldsOf = (sourcetype: RegExp) => ReadonlySet<string>;

const INTERNAL = ["_time", "index", "sourcetype", "source", "host", "_index_earliest", "_index_latest"];
const AGGREGATES = /^(?:count|dc|max|min|sum|values|latest)\(([^()]+)\)(?: as ([\w.]+))?$/;

/** Replaces macros by their definitions. @throws {Error} for one that is not defined */
export function expand(search: string, macros: ReadonlyMap<string, string>, depth = 0): string {
  if (depth > 5) throw new Error(`macros without end in ${search}`);
  return search.replaceAll(/`([^`]+)`/g, (_, macro: string) => {
    const definition = macros.get(macro);
    if (definition === undefined) throw new Error(`the macro ${macro} is not defined`);
    return expand(definition, macros, depth + 1);
  });
}

/** The fields that a search leaves, all of whose commands took fields that were there. @throws {Error} for one that was not */
export function fieldsLeft(search: string, fieldsOf: FieldsOf): ReadonlySet<string> {
  const commands = split(search);
  let scope: ReadonlySet<string> = new Set();
  for (const [index, command] of commands.entries()) {
    const isFirst = index === 0;
    if (isFirst && command === "") continue;
    if (isFirst) scope = searched(command, fieldsOf);
    else scope = applied(command, scope, fieldsOf, index === 1 && commands[0] === "");
  }
  return scope;
}

/** By pipes outside of quotes. */
function split(search: string): string[] {
  const commands: string[] = [""];
  let quote: string | undefined;
  for (const char of search) {
    if (quote === undefined && char === "|") commands.push("");
    else commands[commands.length - 1] += char;
    if (quote === undefined && (char === '"' || char === "'")) quote = char;
    else if (quote === char) quote = undefined;
  }
  if (quote !== undefined) throw new Error(`a quote without end: ${search}`);
  return commands.map((one) => one.trim());
}

function applied(command: string, scope: ReadonlySet<string>, fieldsOf: FieldsOf, isGenerating: boolean): ReadonlySet<string> {
  const [verb = ""] = command.split(" ");
  const rest = command.slice(verb.length).trim();
  const list = (text: string): string[] => text.split(/[ ,]+/).filter((one) => one !== "");
  const need = (names: readonly string[], from = scope): readonly string[] => {
    const unknown = names.filter((one) => !from.has(one));
    if (unknown.length > 0) throw new Error(`${unknown.join(", ")} is not there: ${command}`);
    return names;
  };
  const grouped = (): [string, string[]] => {
    const [before = "", by = ""] = rest.split(/ by /);
    return [before, list(by)];
  };
  switch (verb) {
    case "where":
      need(identifiers(rest));
      return scope;
    case "dedup":
      need(list(rest));
      return scope;
    case "sort":
      need(list(rest.replace(/^\d+ /, "").replaceAll(/(^|[ ,])[-+] ?/g, "$1")).map((one) => /^num\((.+)\)$/.exec(one)?.[1] ?? one));
      return scope;
    case "table":
      return new Set(need(list(rest)));
    case "convert":
      need(list(rest).map((one) => /^ctime\((.+)\)$/.exec(one)?.[1] ?? one));
      return scope;
    case "top":
      return new Set([...need(list(rest).filter((one) => !one.includes("="))), "count"]);
    case "timechart": {
      const [what, by] = grouped();
      if (what !== "count") throw new Error(`not understood: ${command}`);
      return new Set(["_time", ...need(by)]);
    }
    case "stats": {
      const [what, by] = grouped();
      const made = what.split(/, ?/).map((one) => {
        if (one === "count") return "count";
        const [, field, as] = AGGREGATES.exec(one) ?? [];
        if (field === undefined) throw new Error(`not understood: ${one}`);
        need([field]);
        return as ?? one;
      });
      return new Set([...made, ...need(by)]);
    }
    case "tstats": {
      if (!isGenerating) throw new Error("tstats comes first");
      const [, where = "", by = ""] = /^count where (.+) by (.+)$/.exec(rest) ?? [];
      return new Set(["count", ...need(list(by), searched(where, fieldsOf))]);
    }
    default:
      throw new Error(`an unknown command: ${command}`);
  }
}

/** Of a search for events: what its source types have; all terms must be `field=value`. */
function searched(terms: string, fieldsOf: FieldsOf): ReadonlySet<string> {
  const sourcetypes = [...terms.matchAll(/sourcetype="([^"]+)"/g)].map(([, type]) => type!.replaceAll("*", ".*"));
  const fields = new Set([...INTERNAL, ...fieldsOf(new RegExp(`^(${sourcetypes.length === 0 ? ".*" : sourcetypes.join("|")})$`))]);
  const rest = terms.replaceAll(/([\w.]+)=("[^"]*"|[^\s()"]+)/g, (_, field: string) => {
    if (!fields.has(field)) throw new Error(`${field} is not there: ${terms}`);
    return "";
  });
  if (/[^\s()]/.test(rest.replaceAll(/\bOR\b/g, ""))) throw new Error(`not understood: ${rest}`);
  return fields;
}

/** Names in an expression: in single quotes, or bare and no function, text or number. */
function identifiers(expression: string): string[] {
  const quoted = [...expression.matchAll(/'([^']+)'/g)].map(([, one]) => one!);
  const bare = expression.replaceAll(/'[^']+'|"[^"]*"/g, " ").matchAll(/\b([A-Za-z_]\w*)\b(?!\()/g);
  return [...quoted, ...[...bare].map(([, one]) => one!).filter((one) => !/^(AND|OR|NOT)$/.test(one))];
}
