#!/usr/bin/env node
// Adds the platform packages that a registry mirror did not serve to package-lock.json, so that `npm ci`
// accepts the lock file on every platform. Their versions are exact in the parent's optionalDependencies;
// os, cpu and libc follow the naming convention that all of them share. Run it after every `npm install`.
import { readFileSync, writeFileSync } from "node:fs";

const OS = ["android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32", "aix"];
const CPU = ["arm64", "arm", "x64", "ia32", "ppc64", "riscv64", "s390x", "loong64", "mips64el"];

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
let added = 0;
for (const [, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`;
    const os = OS.find((o) => name.includes(o));
    if (lock.packages[path] || !/^\d/.test(version)) continue;
    const wasm = name.includes("wasm32");
    if (!os && !wasm) continue;
    const cpu = wasm ? "wasm32" : CPU.find((c) => name.includes(c));
    const libc = name.includes("musl") ? ["musl"] : name.endsWith("-gnu") ? ["glibc"] : undefined;
    lock.packages[path] = {
      version,
      ...(cpu ? { cpu: [cpu] } : {}),
      ...(entry.dev ? { dev: true } : {}),
      license: entry.license,
      optional: true,
      ...(os ? { os: [os] } : {}),
      ...(os === "linux" && libc ? { libc } : {}),
    };
    added++;
  }
}
for (const entry of Object.values(lock.packages)) delete entry.resolved;
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${added} platform packages added`);
