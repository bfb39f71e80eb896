"use strict";

/**
 * Facts about services and methods that the code and its types share: which methods exist in a browser, the clients of
 * a service, and the name of the generated file.
 *
 * @typedef {import("@bufbuild/protobuf").DescMethod} DescMethod
 * @typedef {import("@bufbuild/protobuf").DescService} DescService
 * @typedef {import("@bufbuild/protobuf").DescFile} DescFile
 * @typedef {import("@bufbuild/protoplugin").Schema} Schema
 * @typedef {import("@bufbuild/protoplugin").GeneratedFile} GeneratedFile
 * @typedef {{ name: string, promises: boolean }} Client A class to generate; `promises` says how unary methods answer.
 */

/**
 * Why gRPC-Web has no such methods, by the kind that they are.
 *
 * @type {Partial<Record<DescMethod["methodKind"], string>>}
 */
const REASON_LEFT_OUT = {
  client_streaming: "client streaming, and gRPC-Web in a browser cannot stream requests.",
  bidi_streaming: "bidirectional streaming, and gRPC-Web in a browser cannot stream requests.",
};

/**
 * The two clients of a service, with the names that the official generator gives them.
 *
 * @param {DescService} service
 * @returns {Client[]}
 */
function clientsOf(service) {
  return [
    { name: `${service.name}Client`, promises: false },
    { name: `${service.name}PromiseClient`, promises: true },
  ];
}

/**
 * Method names that a client needs for itself. Its two fields carry the official generator's names, because browser
 * extensions for gRPC-Web reach for them. An object with a method `then` is taken for a promise by `await`.
 */
const RESERVED_NAMES = new Set(["client_", "hostname_", "then"]);

/**
 * The name of a method in JavaScript: the one that protobuf-es gives it, or with a "$" where the client needs that name.
 *
 * @param {DescMethod} method
 * @returns {string}
 */
function methodName(method) {
  return RESERVED_NAMES.has(method.localName) ? `${method.localName}$` : method.localName;
}

/**
 * The methods that a browser can call: unary and server streaming.
 *
 * @param {DescService} service
 * @returns {DescMethod[]}
 */
function callableMethods(service) {
  return service.methods.filter((method) => !(method.methodKind in REASON_LEFT_OUT));
}

/**
 * Prints a comment, after a blank line, for each method that is left out.
 *
 * @param {GeneratedFile} f
 * @param {DescService} service
 */
function printLeftOut(f, service) {
  for (const method of service.methods) {
    const reason = REASON_LEFT_OUT[method.methodKind];
    if (reason) {
      f.print();
      f.print("  // ", method.name, " is left out: it is ", reason);
    }
  }
}

/**
 * Generates one file for each .proto file that has services. `file.name` is the path without ".proto".
 *
 * @param {Schema} schema
 * @param {string} extension ".js" or ".d.ts"
 * @param {(f: GeneratedFile, file: DescFile) => void} printFile
 */
function generateFiles(schema, extension, printFile) {
  for (const file of schema.files.filter((candidate) => candidate.services.length > 0)) {
    const f = schema.generateFile(`${file.name}_grpc_web_pb${extension}`);
    f.preamble(file);
    printFile(f, file);
  }
}

module.exports = { callableMethods, clientsOf, generateFiles, methodName, printLeftOut };
