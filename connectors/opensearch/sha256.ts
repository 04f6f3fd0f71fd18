/** The hash that signatures are made with, without Node's own modules. */
export { Sha256 } from "@aws-crypto/sha256-js";
