import { z } from "zod";
import { secret } from "../../src/archetypes/settings.ts";

const page = z.string().regex(/^https?:\/\/[^\s|<>]{1,500}$/, "must be an http or https address of at most 500 characters");

const keys = z.strictObject({
  token: secret.optional().describe("Bot token (xoxb-…) with the scope chat:write, as a secret reference; needs channel"),
  channel: z
    .string()
    .regex(/^[CGD][A-Z0-9]{2,30}$/, "must be a channel's id such as C0123456789, as its details show it, not its name")
    .optional()
    .describe("Id of the channel that messages go to; the bot must be a member"),
  webhookUrl: secret.optional().describe("Instead of token and channel: an incoming webhook's address, which is a secret"),
  updates: z
    .enum(["edit", "thread"])
    .default("edit")
    .describe("Later revisions edit the first message, or answer it in its thread. With a webhook each is a message of its own"),
  workspace: z.enum(["slack", "gov"]).default("slack").describe("gov: GovSlack, on slack-gov.com"),
  endpoint: z
    .string()
    .regex(
      /^http:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d{1,5}$/,
      "only a simulator on this machine can take the place of Slack: http://127.0.0.1:<port>",
    )
    .optional()
    .describe("A local simulator instead of Slack, for demonstrations and tests"),
  incidentUrl: page.optional().describe("Page of an incident for the button; {id} stands for its id"),
});

/** Keys of one Slack destination. */
export const config = keys.superRefine(({ token, channel, webhookUrl }, context) => {
  const complain = (path: string, message: string): void => context.addIssue({ code: "custom", path: [path], message });
  if ((token === undefined) === (webhookUrl === undefined)) complain("token", "give either token and channel, or webhookUrl");
  else if (token !== undefined && channel === undefined) complain("channel", "is needed with token");
  else if (webhookUrl !== undefined && channel !== undefined) complain("channel", "is the webhook's own: leave it out");
});

/** The validated configuration. */
export type Config = z.output<typeof config>;

/** Hosts of the Web API and of incoming webhooks ("Sending messages using incoming webhooks"; GovSlack has its own). */
export const HOSTS = {
  slack: { api: "https://slack.com", hooks: "https://hooks.slack.com" },
  gov: { api: "https://slack-gov.com", hooks: "https://hooks.slack-gov.com" },
} as const;
