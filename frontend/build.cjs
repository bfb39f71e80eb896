"use strict";

/**
 * Bundles the page: `src/main.js`, `src/theme.js` and `src/styles/main.css` become files in `dist/`, each with a source
 * map. The names never change; Django's static file storage adds the hashes.
 *
 * `node build.cjs` builds once, minified. `node build.cjs --watch` builds readable code again after every change, until
 * it is stopped.
 */

const path = require("node:path");
const esbuild = require("esbuild");

const watch = process.argv.includes("--watch");

/** @type {esbuild.BuildOptions} */
const options = {
  absWorkingDir: __dirname,
  entryPoints: [
    { in: "src/theme.js", out: "theme" },
    { in: "src/main.js", out: "main" },
    { in: "src/styles/main.css", out: "main" },
  ],
  outdir: "dist",
  bundle: true,
  minify: !watch,
  sourcemap: true,
  format: "iife",
  platform: "browser",
  target: "es2022",
  logLevel: "info",
  // `require` would pick the package's CommonJS build, from which nothing can be dropped that is not used.
  alias: { "@bufbuild/protobuf": path.join(__dirname, "node_modules/@bufbuild/protobuf/dist/esm") },
};

async function main() {
  if (watch) {
    const context = await esbuild.context(options);
    await context.watch();
  } else {
    await esbuild.build(options);
  }
}

main().catch((error) => {
  const reportedByEsbuild = Array.isArray(error.errors);
  if (!reportedByEsbuild) {
    console.error(error);
  }
  process.exitCode = 1;
});
