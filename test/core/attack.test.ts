import { describe, expect, it } from "vitest";
import { attackOf } from "../../src/core/attack.ts";

describe("the ATT&CK and ATLAS ids of a rule", () => {
  it("come from tags and mappings, sorted and once", () => {
    expect(
      attackOf(
        ["attack.t1078.004", "attack.t1567", "attack.credential-access", "attack.Exfiltration", "attack.t1567", "atlas.aml.t0051"],
        [{ id: "T1550.001" }, { id: "AML.T0086" }, { id: "TA0112" }, { id: "LLM01:2025" }],
      ),
    ).toEqual({
      tactics: [
        { id: "TA0112", name: "Defense Impairment" },
        { id: "TA0006", name: "Credential Access" },
        { id: "TA0010", name: "Exfiltration" },
      ],
      techniques: ["T1078", "T1550", "T1567"],
      subTechniques: ["T1078.004", "T1550.001"],
      atlas: ["AML.T0051", "AML.T0086"],
    });
  });

  it("pass over what only looks like one", () => {
    const nothing = { tactics: [], techniques: [], subTechniques: [], atlas: [] };
    expect(
      attackOf(["attack", "attack.", "attack.t107", "attack.g0001", "custodes.t1078", "t1078", "car.2013-05-004"], [{ id: "T1078x" }]),
    ).toEqual(nothing);
  });

  it("take both spellings of a tactic", () => {
    expect(attackOf(["attack.command_and_control"], []).tactics).toEqual(attackOf(["attack.command-and-control"], []).tactics);
  });
});
