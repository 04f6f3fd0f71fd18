/**
 * A real Apache Kafka broker for tests, one node without ZooKeeper, on free loopback ports with temporary data. Its jars come through Maven, once
 * per machine; `node test/servers/kafka.ts install` fetches them.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/** The version whose jars are fetched. */
const VERSION = "3.9.1";
/** Runs on Java 11 and newer. */
const ARTIFACT = { group: "org.apache.kafka", id: "kafka_2.13" };
const START_MS_MAX = 60_000;
const INSTALL_MS_MAX = 300_000;
const POLL_MS = 100;

/** A running broker with a listener for each way to log in. */
export interface KafkaServer {
  /** host:port without a login. */
  readonly plain: string;
  /** host:port with SASL: user `plain` by PLAIN, user `scram` by SCRAM-SHA-512, password KAFKA_PASSWORD. */
  readonly sasl: string;
  stop(): Promise<void>;
}

/** Of both users. */
export const KAFKA_PASSWORD = "planted-canary-kafka-password";

const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "custodes", `kafka-${VERSION}`);

/** Starts a broker, or says why there is none. Without the jars it fetches them, where there is a Maven. */
export async function startKafka(): Promise<KafkaServer | { readonly reason: string }> {
  if (spawnSync("java", ["-version"]).status !== 0) return { reason: "there is no Java" };
  if (!existsSync(cache)) {
    try {
      install();
    } catch (error) {
      return {
        reason: `Kafka ${VERSION} could not be fetched through Maven: ${error instanceof Error ? error.message.split("\n")[0] : ""}`,
      };
    }
  }
  const directory = mkdtempSync(join(tmpdir(), "custodes-kafka-"));
  const [plain, sasl, controller] = [await freePort(), await freePort(), await freePort()];
  const file = join(directory, "server.properties");
  writeFileSync(file, properties(directory, plain!, sasl!, controller!));
  const java = (...args: string[]): string[] => ["-Xmx256m", "-XX:+UseSerialGC", "-cp", join(cache, "*"), ...args];
  const scram = `SCRAM-SHA-512=[name=scram,password=${KAFKA_PASSWORD}]`;
  execFileSync("java", java("kafka.tools.StorageTool", "format", "-t", "Y3VzdG9kZXMtdGVzdC0wMQ", "-c", file, "--add-scram", scram), {
    stdio: "pipe",
  });
  const child = spawn("java", java("kafka.Kafka", file), { stdio: "ignore", cwd: directory });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = async (): Promise<void> => {
    process.off("exit", kill);
    kill();
    await exited;
    rmSync(directory, { recursive: true, force: true });
  };
  const end = Date.now() + START_MS_MAX;
  for (const port of [plain!, sasl!]) {
    while (!(await answers(port))) {
      if (child.exitCode !== null || Date.now() > end) {
        await stop();
        return { reason: `Kafka did not start within ${START_MS_MAX} ms` };
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
  return { plain: `127.0.0.1:${plain}`, sasl: `127.0.0.1:${sasl}`, stop };
}

function properties(directory: string, plain: number, sasl: number, controller: number): string {
  const module = "org.apache.kafka.common.security";
  const listeners = `PLAIN://127.0.0.1:${plain},SASL://127.0.0.1:${sasl}`;
  return Object.entries({
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@127.0.0.1:${controller}`,
    listeners: `${listeners},CONTROLLER://127.0.0.1:${controller}`,
    "advertised.listeners": listeners,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAIN:PLAINTEXT,SASL:SASL_PLAINTEXT",
    "inter.broker.listener.name": "PLAIN",
    "log.dirs": join(directory, "data"),
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    // Nobody but the user that logged in by PLAIN is held to rights.
    "super.users": "User:ANONYMOUS;User:scram",
    "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
    "listener.name.sasl.plain.sasl.jaas.config": `${module}.plain.PlainLoginModule required user_plain="${KAFKA_PASSWORD}";`,
    "listener.name.sasl.scram-sha-512.sasl.jaas.config": `${module}.scram.ScramLoginModule required;`,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Fetches the jars into a new folder and moves it into place, so that two at once do no harm. */
function install(): void {
  const directory = mkdtempSync(join(tmpdir(), "custodes-kafka-jars-"));
  const dependency = `<dependency><groupId>${ARTIFACT.group}</groupId><artifactId>${ARTIFACT.id}</artifactId><version>${VERSION}</version></dependency>`;
  const project = `<modelVersion>4.0.0</modelVersion><groupId>custodes</groupId><artifactId>jars</artifactId><version>1</version>`;
  writeFileSync(
    join(directory, "pom.xml"),
    `<project xmlns="http://maven.apache.org/POM/4.0.0">${project}<dependencies>${dependency}</dependencies></project>`,
  );
  try {
    const args = ["-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars", "-DincludeScope=runtime"];
    execFileSync("mvn", args, { cwd: directory, stdio: "pipe", timeout: INSTALL_MS_MAX });
    mkdirSync(join(cache, ".."), { recursive: true });
    if (!existsSync(cache)) execFileSync("cp", ["-r", join(directory, "jars"), `${cache}.${process.pid}`]);
    if (!existsSync(cache)) renameSync(`${cache}.${process.pid}`, cache);
  } finally {
    rmSync(directory, { recursive: true, force: true });
    rmSync(`${cache}.${process.pid}`, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  if (process.argv[2] !== "install") throw new Error("usage: node test/servers/kafka.ts install");
  if (!existsSync(cache)) install();
  console.log(`the jars of Kafka ${VERSION} are in ${cache}`);
}
