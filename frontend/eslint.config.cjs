"use strict";

/** What eslint checks: code that people write. Generated code and builds are left alone; prettier owns the layout. */

const js = require("@eslint/js");
const globals = require("globals");

module.exports = [
  { ignores: ["dist/", "src/generated/"] },
  js.configs.recommended,
  {
    files: ["**/*.js", "**/*.cjs"],
    languageOptions: { sourceType: "commonjs", ecmaVersion: 2022 },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-var": "error",
      "prefer-const": "error",
      "max-lines": ["error", { max: 300 }],
    },
  },
  {
    files: ["src/**/*.js", "codegen/**/*.cjs"],
    rules: { "max-lines-per-function": ["error", { max: 40, skipBlankLines: true, skipComments: true }] },
  },
  {
    files: ["src/**/*.js"],
    languageOptions: { globals: { ...globals.browser, require: "readonly", module: "writable" } },
  },
  {
    ignores: ["src/**"],
    languageOptions: { globals: globals.node },
  },
];
