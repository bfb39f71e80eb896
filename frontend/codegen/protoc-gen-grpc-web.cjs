#!/usr/bin/env node
"use strict";

/**
 * The protoc plugin that writes `<name>_grpc_web_pb.js` and `.d.ts`: gRPC-Web clients for the services of a .proto file.
 *
 * What belongs here: how protoc starts the plugin, and nothing about the generated text. `javascript.cjs` writes the
 * code, `declarations.cjs` its types, `methods.cjs` knows which methods a browser can call.
 */

const { createEcmaScriptPlugin, runNodeJs } = require("@bufbuild/protoplugin");
const { generateDeclarations } = require("./declarations.cjs");
const { generateJavaScript } = require("./javascript.cjs");

runNodeJs(
  createEcmaScriptPlugin({
    name: "frontend/codegen/protoc-gen-grpc-web.cjs",
    version: "v1",
    generateJs: generateJavaScript,
    generateDts: generateDeclarations,
    generateTs() {
      throw new Error("target=ts is not supported, use target=js+dts");
    },
  }),
);
