"use strict";

/**
 * Writes the code of the clients, on the runtime `grpc-web`. What belongs here: everything that ends up in a `.js` file.
 *
 * Imports and exports go through the plugin framework, which gives colliding names an alias and writes CommonJS for
 * `js_import_style=legacy_commonjs`.
 *
 * @typedef {import("./methods.cjs").DescMethod} DescMethod
 * @typedef {import("./methods.cjs").DescService} DescService
 * @typedef {import("./methods.cjs").DescFile} DescFile
 * @typedef {import("./methods.cjs").Schema} Schema
 * @typedef {import("./methods.cjs").GeneratedFile} GeneratedFile
 * @typedef {import("./methods.cjs").Client} Client
 */

const { callableMethods, clientsOf, generateFiles, methodName, printLeftOut } = require("./methods.cjs");

/** Used by every streaming method of a generated file. The runtime knows signals for promises only. */
const OPEN_STREAM = `
// Opens a stream that the signal cancels. A signal that has been aborted already must not send the request.
function openStream(signal, open) {
  if (signal && signal.aborted) {
    return { on() { return this; }, removeListener() { return this; }, cancel() {} };
  }
  const stream = open();
  if (signal) {
    const cancel = () => stream.cancel();
    const forget = () => signal.removeEventListener("abort", cancel);
    signal.addEventListener("abort", cancel);
    stream.on("end", forget);
    stream.on("error", forget);
  }
  return stream;
}
`;

/**
 * Writes a `.js` file for each .proto file that has services.
 *
 * @param {Schema} schema
 */
function generateJavaScript(schema) {
  generateFiles(schema, ".js", (f, file) => {
    for (const service of file.services) {
      callableMethods(service).forEach((method) => printMethodDescriptor(f, method));
    }
    if (file.services.flatMap(callableMethods).some((method) => method.methodKind === "server_streaming")) {
      f.print(OPEN_STREAM.trim());
      f.print();
    }
    for (const service of file.services) {
      clientsOf(service).forEach((client) => printClient(f, service, client));
    }
  });
}

/**
 * @param {DescMethod} method
 */
function descriptorName(method) {
  return `methodDescriptor_${method.parent.name}_${method.name}`;
}

/**
 * @param {DescMethod} method
 */
function methodPath(method) {
  return `/${method.parent.typeName}/${method.name}`;
}

/**
 * @param {GeneratedFile} f
 * @param {DescMethod} method
 */
function printMethodDescriptor(f, method) {
  const kind = method.methodKind === "unary" ? "UNARY" : "SERVER_STREAMING";
  const input = f.importSchema(method.input);
  const output = f.importSchema(method.output);
  f.print("const ", descriptorName(method), " = new ", f.import("MethodDescriptor", "grpc-web"), "(");
  f.print("  ", f.string(methodPath(method)), ",");
  f.print("  ", f.import("MethodType", "grpc-web"), ".", kind, ",");
  f.print("  ", input, ",");
  f.print("  ", output, ",");
  f.print("  (request) => ", f.import("toBinary", "@bufbuild/protobuf"), "(", input, ", request),");
  f.print("  (bytes) => ", f.import("fromBinary", "@bufbuild/protobuf"), "(", output, ", bytes),");
  f.print(");");
  f.print();
}

/**
 * @param {GeneratedFile} f
 * @param {DescService} service
 * @param {Client} client
 */
function printClient(f, service, client) {
  f.print(f.jsDoc(service));
  f.print(f.export("class", client.name), " {");
  f.print("  constructor(hostname, credentials, options) {");
  f.print("    this.client_ = new ", f.import("GrpcWebClientBase", "grpc-web"), '({ format: "text", ...options });');
  f.print('    this.hostname_ = hostname.replace(/\\/+$/, "");');
  f.print("  }");
  for (const method of callableMethods(service)) {
    f.print();
    printMethod(f, method, client);
  }
  printLeftOut(f, service);
  f.print("}");
  f.print();
}

/**
 * The request becomes a message before the runtime sees it, so that interceptors never meet a plain object.
 *
 * @param {GeneratedFile} f
 * @param {DescMethod} method
 * @param {Client} client
 */
function printMethod(f, method, client) {
  const url = ["this.hostname_ + ", f.string(methodPath(method))];
  const message = [f.import("create", "@bufbuild/protobuf"), "(", f.importSchema(method.input), ", request)"];
  const call = [...url, ", ", ...message, ", metadata || {}, ", descriptorName(method)];
  f.print(f.jsDoc(method, "  "));
  if (method.methodKind === "server_streaming") {
    f.print("  ", methodName(method), "(request, metadata, options) {");
    f.print("    return openStream(options && options.signal, () =>");
    f.print("      this.client_.serverStreaming(", ...call, "),");
    f.print("    );");
  } else if (client.promises) {
    f.print("  ", methodName(method), "(request, metadata, options) {");
    f.print("    return this.client_.unaryCall(", ...call, ", options);");
  } else {
    f.print("  ", methodName(method), "(request, metadata, callback) {");
    f.print("    return this.client_.rpcCall(", ...call, ", callback);");
  }
  f.print("  }");
}

module.exports = { generateJavaScript };
