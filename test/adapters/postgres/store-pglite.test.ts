import { storeContract } from "../../contract/store.ts";
import { storeUnderTest } from "./under-test.ts";

storeContract("PGlite", () => storeUnderTest({ kind: "pglite" }));
