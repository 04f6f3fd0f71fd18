/**
 * Real PostgreSQL and Redis servers for tests, on free loopback ports with temporary data.
 * `node test/servers/servers.ts install` installs them where apt-get can; `… check` says what is there.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** A running server, or why there is none. */
export type Server = { readonly url: string; stop(): Promise<void> } | { readonly reason: string };

/** A server on a small, busy machine takes seconds; one that takes longer will not come. */
const START_MS_MAX = 60_000;
/** Pause between looks whether the server answers yet. */
const POLL_MS = 50;
/** Where Debian and others put PostgreSQL's own programs, which are not on the path. */
const POSTGRES_ROOTS = ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt"];

/** Starts a PostgreSQL server with one empty database; every test file may start its own. */
export async function startPostgres(): Promise<Server> {
  const initdb = findPostgres("initdb");
  const postgres = findPostgres("postgres");
  if (initdb === undefined || postgres === undefined)
    return { reason: "PostgreSQL is not installed (node test/servers/servers.ts install)" };
  const user = serverUser();
  if (user === undefined) return { reason: "PostgreSQL does not run as root and there is no user postgres" };
  const directory = temporaryDirectory("custodes-postgres-", user);
  const data = join(directory, "data");
  execFileSync(initdb, ["-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], {
    ...user,
    stdio: "pipe",
    cwd: directory,
  });
  const port = await freePort();
  // Without fsync: the data is thrown away, and what is tested is our statements, not the disk.
  const settings = { listen_addresses: "127.0.0.1", port, unix_socket_directories: directory, fsync: "off", max_connections: 200 };
  const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = spawn(postgres, ["-D", data, ...options], { ...user, stdio: "ignore", cwd: directory });
  return running(child, "SIGINT", directory, port, `postgres://test@127.0.0.1:${port}/postgres`);
}

/** Starts a Redis server that never evicts, as the queue wants it; `settings` change that. */
export async function startRedis(settings: Readonly<Record<string, string>> = {}): Promise<Server> {
  const redis = onPath("redis-server");
  if (redis === undefined) return { reason: "Redis is not installed (node test/servers/servers.ts install)" };
  const directory = mkdtempSync(join(tmpdir(), "custodes-redis-"));
  const port = await freePort();
  const all = {
    port: String(port),
    bind: "127.0.0.1",
    dir: directory,
    save: "",
    appendonly: "no",
    "maxmemory-policy": "noeviction",
    ...settings,
  };
  const options = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(redis, options, { stdio: "ignore", cwd: directory });
  return running(child, "SIGTERM", directory, port, `redis://127.0.0.1:${port}`);
}

/**
 * The server's URL; undefined when it may be skipped. With CI=true a missing server is an error: a suite that
 * silently skips its real servers proves nothing.
 */
export function required(server: Server): { readonly url: string; stop(): Promise<void> } | undefined {
  if ("url" in server) return server;
  if (process.env["CI"] === "true") throw new Error(server.reason);
  console.warn(`skipped: ${server.reason}`);
  return undefined;
}

async function running(child: ChildProcess, stopSignal: NodeJS.Signals, directory: string, port: number, url: string): Promise<Server> {
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = async (): Promise<void> => {
    process.off("exit", kill);
    child.kill(stopSignal);
    await exited;
    rmSync(directory, { recursive: true, force: true });
  };
  const end = Date.now() + START_MS_MAX;
  while (!(await answers(port))) {
    if (child.exitCode !== null || Date.now() > end) {
      await stop();
      return { reason: `the server did not start within ${START_MS_MAX} ms` };
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  if (url.startsWith("postgres")) await acceptsSessions(url, end);
  return { url, stop };
}

/** PostgreSQL opens its port before it takes sessions. */
async function acceptsSessions(url: string, end: number): Promise<void> {
  const { default: pg } = await import("pg");
  for (;;) {
    const client = new pg.Client({ connectionString: url });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => (typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}

/** PostgreSQL refuses to run as root; then it runs as the user that its package made. */
function serverUser(): { readonly uid?: number; readonly gid?: number } | undefined {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string): number => Number(spawnSync("id", [flag, "postgres"], { encoding: "utf8" }).stdout.trim() || Number.NaN);
  const user = { uid: id("-u"), gid: id("-g") };
  return Number.isInteger(user.uid) && Number.isInteger(user.gid) ? user : undefined;
}

function temporaryDirectory(prefix: string, user: { readonly uid?: number; readonly gid?: number }): string {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  if (user.uid !== undefined && user.gid !== undefined) chownSync(directory, user.uid, user.gid);
  return directory;
}

function onPath(program: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

function findPostgres(program: string): string | undefined {
  for (const root of POSTGRES_ROOTS.filter((path) => existsSync(path))) {
    const versions = readdirSync(root).sort((one, other) => other.localeCompare(one, "en", { numeric: true }));
    const found = versions.map((version) => join(root, version, "bin", program)).find((path) => existsSync(path));
    if (found !== undefined) return found;
  }
  return onPath(program);
}

function missing(): readonly string[] {
  const packages: string[] = [];
  if (findPostgres("postgres") === undefined) packages.push("postgresql");
  if (onPath("redis-server") === undefined) packages.push("redis-server");
  return packages;
}

/** Installs what is missing. Only apt-get as root is known; anywhere else it says what to install. */
function install(): void {
  const packages = missing();
  if (packages.length === 0) return;
  if (onPath("apt-get") === undefined) throw new Error(`install these by hand: ${packages.join(" ")}`);
  const run = (...args: string[]): void => {
    const root = process.getuid?.() === 0;
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    execFileSync(root ? "apt-get" : "sudo", root ? args : ["-E", "apt-get", ...args], { stdio: "inherit", env });
  };
  run("update", "-q");
  run("install", "-q", "-y", "--no-install-recommends", ...packages);
}

if (import.meta.main) {
  const command = process.argv[2];
  if (command === "install") install();
  else if (command !== "check") {
    console.error("usage: node test/servers/servers.ts install|check");
    process.exitCode = 64;
  }
  const left = missing();
  if (left.length > 0) {
    console.error(`missing: ${left.join(" ")}`);
    process.exitCode = 1;
  } else if (command === "install" || command === "check") console.log("postgresql and redis-server are installed");
}
