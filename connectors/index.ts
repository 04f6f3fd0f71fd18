import type { Connector } from "../src/ports/connector.ts";
import agentFindings from "./agent-findings/agent-findings.ts";
import alertmanager from "./alertmanager/alertmanager.ts";
import awsCloudtrail from "./aws-cloudtrail/aws-cloudtrail.ts";
import awsVpcflow from "./aws-vpcflow/aws-vpcflow.ts";
import elastic from "./elastic/elastic.ts";
import entra from "./entra/entra.ts";
import hashicorpVault from "./hashicorp-vault/hashicorp-vault.ts";
import http from "./http/http.ts";
import istio from "./istio/istio.ts";
import kafka from "./kafka/kafka.ts";
import kong from "./kong/kong.ts";
import kubernetes from "./kubernetes/kubernetes.ts";
import okta from "./okta/okta.ts";
import opensearch from "./opensearch/opensearch.ts";
import otlp from "./otlp/otlp.ts";
import otlpLogs from "./otlp-logs/otlp-logs.ts";
import pagerduty from "./pagerduty/pagerduty.ts";
import s3 from "./s3/s3.ts";
import sentinel from "./sentinel/sentinel.ts";
import servicenow from "./servicenow/servicenow.ts";
import slack from "./slack/slack.ts";
import splunk from "./splunk/splunk.ts";
import syslog from "./syslog/syslog.ts";
import webhook from "./webhook/webhook.ts";
import zeek from "./zeek/zeek.ts";

/** Every connector that is shipped. Adding one is one line here; its configuration is checked by its own schema. */
export const connectors: readonly Connector[] = [
  agentFindings,
  alertmanager,
  awsCloudtrail,
  awsVpcflow,
  elastic,
  entra,
  hashicorpVault,
  http,
  istio,
  kafka,
  kong,
  kubernetes,
  okta,
  opensearch,
  otlp,
  otlpLogs,
  pagerduty,
  s3,
  sentinel,
  servicenow,
  slack,
  splunk,
  syslog,
  webhook,
  zeek,
] as readonly Connector[];
