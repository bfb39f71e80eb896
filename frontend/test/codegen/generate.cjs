"use strict";

/** Runs protoc with the project's two JavaScript plugins over the fixtures. What belongs here: how a test generates. */

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const FRONTEND = path.resolve(__dirname, "../..");
const FIXTURES = path.join(__dirname, "fixtures");
const STYLE = "js_import_style=legacy_commonjs,import_extension=js";

/** The Python that has grpc_tools: `$PYTHON`, else the project's virtual environment, else the one on the PATH. */
function findPython() {
  const virtualEnvironment = path.join(FRONTEND, "../.venv/bin/python");
  return process.env.PYTHON || (fs.existsSync(virtualEnvironment) ? virtualEnvironment : "python3");
}

/**
 * Runs protoc on fixtures.
 *
 * @param {string} out Existing folder to write to.
 * @param {string} stubOptions Options of our plugin.
 * @param {string[]} files Paths below `fixtures`.
 * @returns {{ status: number | null, stderr: string }}
 */
function runProtoc(out, stubOptions, files) {
  const binaries = path.join(FRONTEND, "node_modules/.bin");
  const result = spawnSync(
    findPython(),
    [
      "-m",
      "grpc_tools.protoc",
      `-I${FIXTURES}`,
      `--es_out=${out}`,
      `--es_opt=target=js+dts,${STYLE}`,
      `--plugin=protoc-gen-grpc-web=${path.join(FRONTEND, "codegen/protoc-gen-grpc-web.cjs")}`,
      `--grpc-web_out=${out}`,
      `--grpc-web_opt=${stubOptions}`,
      ...files,
    ],
    { encoding: "utf8", env: { ...process.env, PATH: binaries + path.delimiter + process.env.PATH } },
  );
  if (result.error) {
    throw result.error;
  }
  return { status: result.status, stderr: result.stderr };
}

/**
 * Makes a temporary folder in which generated code finds the installed packages. It is removed when the process ends.
 *
 * @returns {string} The folder's path.
 */
function makeOutputFolder() {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "codegen-")));
  process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
  fs.symlinkSync(path.join(FRONTEND, "node_modules"), path.join(folder, "node_modules"), "dir");
  return folder;
}

/**
 * Generates code for all fixtures.
 *
 * @returns {string} The folder that holds it.
 */
function generateFixtures() {
  const folder = makeOutputFolder();
  const files = fs.readdirSync(FIXTURES, { recursive: true, encoding: "utf8" });
  const { status, stderr } = runProtoc(
    folder,
    `target=js+dts,${STYLE}`,
    files.filter((file) => file.endsWith(".proto")),
  );
  if (status !== 0) {
    throw new Error(`protoc failed:\n${stderr}`);
  }
  return folder;
}

/**
 * Runs the TypeScript compiler.
 *
 * @param {string} folder Working folder.
 * @param {string[]} args
 * @returns {string} What it complains about; empty when it is content.
 */
function runTypeScript(folder, args) {
  const compiler = path.join(FRONTEND, "node_modules/typescript/bin/tsc");
  return spawnSync(process.execPath, [compiler, ...args], { cwd: folder, encoding: "utf8" }).stdout;
}

module.exports = { FIXTURES, STYLE, generateFixtures, makeOutputFolder, runProtoc, runTypeScript };
