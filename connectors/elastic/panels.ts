/** The panels of the dashboard: Lens visualizations, by value. */
import type { Json } from "../../src/core/record.ts";

const ALERTS = "custodes-alerts";
const INCIDENTS = "custodes-incidents";
const EVENTS = "custodes-events";

interface Reference {
  readonly id: string;
  readonly name: string;
  readonly type: string;
}

/** A column of a Lens layer. */
type Column = Json;

interface Panel {
  readonly title: string;
  readonly view: string;
  readonly type: "lnsMetric" | "lnsXY" | "lnsDatatable";
  readonly columns: Readonly<Record<string, Column>>;
  readonly visualization: Json;
  readonly query?: string;
  /** Of a dashboard that is 48 wide. */
  readonly place: readonly [x: number, y: number, w: number, h: number];
}

const LAYER = "layer";
const count: Column = {
  label: "Count",
  dataType: "number",
  operationType: "count",
  isBucketed: false,
  scale: "ratio",
  sourceField: "___records___",
};
const overTime: Column = {
  label: "Time",
  dataType: "date",
  operationType: "date_histogram",
  sourceField: "@timestamp",
  isBucketed: true,
  scale: "interval",
  params: { interval: "auto", includeEmptyRows: true },
};

/** The most frequent values of a field. */
function top(field: string, label: string, size: number): Column {
  return {
    label,
    dataType: "string",
    operationType: "terms",
    sourceField: field,
    isBucketed: true,
    scale: "ordinal",
    params: { size, orderBy: { type: "column", columnId: "count" }, orderDirection: "desc", otherBucket: false, missingBucket: false },
  };
}

function metric(title: string, view: string, place: Panel["place"], query?: string): Panel {
  return {
    title,
    view,
    type: "lnsMetric",
    columns: { count: { ...count, label: title, customLabel: true } },
    visualization: { layerId: LAYER, layerType: "data", metricAccessor: "count" },
    place,
    ...(query === undefined ? {} : { query }),
  };
}

function bars(title: string, view: string, split: Column, place: Panel["place"]): Panel {
  return {
    title,
    view,
    type: "lnsXY",
    columns: { time: overTime, split, count },
    visualization: {
      preferredSeriesType: "bar_stacked",
      legend: { isVisible: true, position: "right" },
      valueLabels: "hide",
      layers: [
        { layerId: LAYER, layerType: "data", seriesType: "bar_stacked", xAccessor: "time", splitAccessor: "split", accessors: ["count"] },
      ],
    },
    place,
  };
}

function table(title: string, view: string, columns: Readonly<Record<string, Column>>, place: Panel["place"]): Panel {
  const all = { ...columns, count };
  return {
    title,
    view,
    type: "lnsDatatable",
    columns: all,
    visualization: { layerId: LAYER, layerType: "data", columns: Object.keys(all).map((columnId) => ({ columnId })) },
    place,
  };
}

const PANELS: readonly Panel[] = [
  metric("Open incidents", INCIDENTS, [0, 0, 12, 6], "custodes.status : (1 or 2)"),
  metric("Critical incidents", INCIDENTS, [12, 0, 12, 6], "event.severity : 99"),
  metric("Alerts", ALERTS, [24, 0, 12, 6]),
  metric("Incidents with missing sources", INCIDENTS, [36, 0, 12, 6], 'custodes.coverage : "partial"'),
  bars("Incidents by level", INCIDENTS, top("custodes.level", "Level", 5), [0, 6, 24, 12]),
  bars("Alerts by rule", ALERTS, top("rule.name", "Rule", 10), [24, 6, 24, 12]),
  table(
    "Incidents",
    INCIDENTS,
    {
      title: top("message.keyword", "Incident", 25),
      agent: top("gen_ai.agent.name", "Agent", 1),
      owner: top("custodes.owner", "Owner", 1),
    },
    [0, 18, 48, 12],
  ),
  table("Agents with alerts", ALERTS, { agent: top("gen_ai.agent.name", "Agent", 15) }, [0, 30, 16, 12]),
  table("Techniques", ALERTS, { technique: top("threat.technique.id", "ATT&CK technique", 15) }, [16, 30, 16, 12]),
  table("Hosts reached", INCIDENTS, { host: top("related.hosts", "Host", 15) }, [32, 30, 16, 12]),
  bars("Supporting events", EVENTS, top("event.category", "Category", 8), [0, 42, 48, 10]),
];

/** `panelsJSON` of the dashboard as a value, with the references of its panels. */
export function panels(): { readonly json: readonly Json[]; readonly references: readonly Reference[] } {
  return {
    json: PANELS.map((panel, at) => panelJson(panel, String(at + 1))),
    references: PANELS.map((panel, at) => ({ id: panel.view, name: `${at + 1}:${reference()}`, type: "index-pattern" })),
  };
}

function reference(): string {
  return `indexpattern-datasource-layer-${LAYER}`;
}

function panelJson(panel: Panel, panelIndex: string): Json {
  const [x, y, w, h] = panel.place;
  return {
    type: "lens",
    panelIndex,
    gridData: { x, y, w, h, i: panelIndex },
    embeddableConfig: {
      enhancements: {},
      attributes: {
        title: panel.title,
        visualizationType: panel.type,
        type: "lens",
        references: [{ id: panel.view, name: reference(), type: "index-pattern" }],
        state: {
          query: { query: panel.query ?? "", language: "kuery" },
          filters: [],
          datasourceStates: {
            formBased: { layers: { [LAYER]: { columnOrder: Object.keys(panel.columns), columns: panel.columns, incompleteColumns: {} } } },
          },
          visualization: panel.visualization,
        },
      },
    },
    title: panel.title,
  };
}
