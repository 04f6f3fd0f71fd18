/** What tests need to read Markdown: links, code blocks, commands, headings and marked tables. */

/** Fenced code blocks of a language. */
export function blocks(markdown: string, language: string): string[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].filter(([, found]) => found === language).map(([, , text = ""]) => text);
}

/** Targets of relative links outside of code. */
export function linksIn(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```[\s\S]*?^```$/gm, "").replaceAll(/`[^`\n]*`/g, "code");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target).filter((target) => !/^[a-z]+:/.test(target));
}

/** Anchors of the headings, as code hosts make them: lower case, punctuation cut, blanks as dashes. */
export function headingsOf(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```[\s\S]*?^```$/gm, "");
  return [...prose.matchAll(/^#{1,6} (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(/\s/g, "-"),
  );
}

/** Rows of the tables between `<!-- name -->` and `<!-- /name -->`, without their heads. */
export function tableRows(markdown: string, name: string): string[][] {
  const part = markdown.split(`<!-- ${name} -->`)[1]?.split(`<!-- /${name} -->`)[0] ?? "";
  const lines = part.split("\n");
  return lines.flatMap((line, index) => {
    const isHead = /^\|[\s|-]+\|$/.test(lines[index + 1] ?? "");
    if (!line.startsWith("|") || isHead || /^\|[\s|-]+\|$/.test(line)) return [];
    return [
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    ];
  });
}

/** Messages of the log look like commands. */
const LOG_LINES = /<!-- log-lines -->[\s\S]*<!-- \/log-lines -->/;
const STARTS = ["npm run -s custodes -- ", "node_modules/.bin/node src/cli.ts ", "custodes "];

/** Words of every command of the command line that a document shows, without the program's name. */
export function commandsIn(markdown: string): string[][] {
  const lines = ["sh", "console", "text", ""].flatMap((language) =>
    blocks(markdown, language).flatMap((text) => text.replaceAll(/\\\n\s*/g, "").split("\n")),
  );
  const prose = markdown.replaceAll(/^```[\s\S]*?^```$/gm, "").replace(LOG_LINES, "");
  const spans = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, text = ""]) => text);
  return [...lines, ...spans]
    .flatMap((line) => line.replace(/^\$ /, "").split(/ && | > |\s#\s/))
    .flatMap((part) => {
      const start = STARTS.find((one) => part.startsWith(one));
      return start === undefined ? [] : [part.slice(start.length).trim().split(/\s+/)];
    })
    .map((words) => words.filter((word) => word !== "…" && word !== ""));
}
