"use strict";

/** The generated types, as a strict TypeScript compiler sees them. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { it } = require("node:test");
const { FIXTURES, generateFixtures, runTypeScript } = require("./generate.cjs");

const folder = generateFixtures();
fs.copyFileSync(path.join(FIXTURES, "usage.ts"), path.join(folder, "usage.ts"));

for (const [module, resolution] of [
  ["nodenext", "nodenext"],
  ["esnext", "bundler"],
]) {
  it(`allow what usage.ts does and refuse what it marks, with module resolution ${resolution}`, () => {
    const complaints = runTypeScript(folder, [
      "--strict",
      "--noEmit",
      "--target",
      "es2022",
      "--module",
      module,
      "--moduleResolution",
      resolution,
      "usage.ts",
    ]);
    assert.equal(complaints, "");
  });
}
