/** The rules for one message (Block Kit reference; "chat.postMessage, Errors"). */

type Json = Readonly<Record<string, unknown>>;

/** All blocks together; not documented, measured by others. */
const BLOCKS_CHARACTERS_MAX = 13_200;

/** The error that Slack answers; undefined for a message that is fine. */
export function messageError(message: Json): string | undefined {
  const { text, blocks, attachments, metadata } = message as {
    text?: unknown;
    blocks?: unknown;
    attachments?: unknown;
    metadata?: unknown;
  };
  if (attachments !== undefined) return "too_many_attachments";
  if (text !== undefined && typeof text !== "string") return "invalid_arguments";
  if (blocks === undefined && (text === undefined || text === "")) return "no_text";
  if (typeof text === "string" && text.length > 40_000) return "msg_too_long";
  if (metadata !== undefined && !isMetadata(metadata)) return "invalid_metadata_format";
  if (blocks === undefined) return undefined;
  if (!Array.isArray(blocks) || blocks.length === 0 || blocks.length > 50) return "invalid_blocks";
  if (!blocks.every((block) => isObject(block) && isBlock(block))) return "invalid_blocks";
  return characters(blocks) > BLOCKS_CHARACTERS_MAX ? "msg_blocks_too_long" : undefined;
}

function isBlock(block: Json): boolean {
  const { type, text, fields, elements } = block as { type?: unknown; text?: unknown; fields?: unknown; elements?: unknown };
  switch (type) {
    case "header":
      return isText(text, 150) && (text as Json)["type"] === "plain_text";
    case "section":
      if (text === undefined && fields === undefined) return false;
      if (text !== undefined && !isText(text, 3000)) return false;
      return fields === undefined || (isList(fields, 10) && fields.every((field) => isText(field, 2000)));
    case "context":
      return isList(elements, 10) && elements.every((one) => isText(one, 3000));
    case "actions":
      return (
        isList(elements, 25) &&
        elements.every(isButton) &&
        new Set(elements.map((one) => (one as Json)["action_id"])).size === elements.length
      );
    case "divider":
      return true;
    default:
      return false;
  }
}

function isButton(value: unknown): boolean {
  if (!isObject(value) || value["type"] !== "button" || !isText(value["text"], 75)) return false;
  const { url, action_id } = value as { url?: unknown; action_id?: unknown };
  return typeof url === "string" && url.length <= 3000 && URL.canParse(url) && typeof action_id === "string" && action_id.length <= 255;
}

function isText(value: unknown, max: number): boolean {
  if (!isObject(value)) return false;
  const { type, text, emoji } = value as { type?: unknown; text?: unknown; emoji?: unknown };
  if (type !== "plain_text" && type !== "mrkdwn") return false;
  if (emoji !== undefined && (type !== "plain_text" || typeof emoji !== "boolean")) return false;
  return typeof text === "string" && text.length >= 1 && text.length <= max;
}

function isMetadata(value: unknown): boolean {
  return isObject(value) && typeof value["event_type"] === "string" && isObject(value["event_payload"]);
}

function characters(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  return Object.entries(value).reduce((sum, [key, item]) => (key === "type" || key === "action_id" ? sum : sum + characters(item)), 0);
}

function isList(value: unknown, max: number): value is unknown[] {
  return Array.isArray(value) && value.length >= 1 && value.length <= max;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
